//! The database roles of people: who reads the views, and who operates.

use super::{Database, Role, StoreError, connect::POOLED, error::within, locks::lock};
use crate::domain::{RoleName, RoleNames};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// What readers may call; operators may call everything in the schema.
const READERS: [&str; 6] = [
    "event_id_at",
    "find",
    "timeline",
    "explain",
    "status",
    "retention_preview",
];

const IS_SET: &str =
    "SELECT EXISTS (SELECT FROM hookfast_data.settings s WHERE s.name = $1 AND s.value = $2)";
/// The name a setting had, where it has another now: $1 the setting, $2 its name now. Locked, since it is changed next.
const FORMER: &str =
    "SELECT value FROM hookfast_data.settings WHERE name = $1 AND value <> $2 FOR UPDATE";

/// That a role was replaced, by whom, and what became of the former one's rights.
const LOG_CHANGE: &str =
    "SELECT hookfast_data.log('role.changed', $1, jsonb_build_object('role', $2, 'former', $3))";

const SETTING: &str = "INSERT INTO hookfast_data.settings AS s (name, value) VALUES ($1, $2) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE s.value <> excluded.value";

/// What a role lacks, as the object of a GRANT. $1 the role, $2 the functions it may call, null for all.
const LACKS: &str = "\
    SELECT 'USAGE ON SCHEMA hookfast' WHERE NOT has_schema_privilege($1, 'hookfast', 'USAGE') \
    UNION ALL \
    SELECT 'SELECT ON ' || string_agg(c.oid::regclass::text, ', ') FROM pg_catalog.pg_class c \
    WHERE c.relnamespace = 'hookfast'::regnamespace AND c.relkind IN ('v', 'm') \
        AND NOT has_table_privilege($1, c.oid, 'SELECT') HAVING count(*) > 0 \
    UNION ALL \
    SELECT 'EXECUTE ON FUNCTION ' || string_agg(p.oid::regprocedure::text, ', ') FROM pg_catalog.pg_proc p \
    WHERE p.pronamespace = 'hookfast'::regnamespace AND p.prokind = 'f' AND ($2::text[] IS NULL OR p.proname = ANY ($2)) \
        AND NOT has_function_privilege($1, p.oid, 'EXECUTE') HAVING count(*) > 0";

/// How the roles stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// Made just now.
    pub created: Vec<String>,
    /// Not there, and not to be made by us.
    pub missing: Vec<String>,
    /// Those that have their rights now.
    pub granted: Vec<String>,
}

impl Roles {
    /// What somebody has to run who may make roles; `None` where none is missing.
    pub fn to_run(&self) -> Option<String> {
        let create = self
            .missing
            .iter()
            .map(|name| format!("CREATE ROLE {} NOLOGIN;", quoted(name)));
        (!self.missing.is_empty()).then(|| create.collect::<Vec<_>>().join("\n"))
    }
}

/// Makes both roles where this one may, and grants each what it lacks. Roles are the cluster's, and databases may share
/// them; the grants are this database's.
///
/// # Errors
/// Where the database cannot be asked, or a grant is not ours to give. That a role is missing is none.
pub async fn ensure_roles(database: &Database, names: &RoleNames) -> Result<Roles, StoreError> {
    let mut connection = database.connect(Role::General).await?;
    let ensured = within(POOLED, "grant roles", ensure(&mut connection.inner, names)).await;
    connection.close().await;
    ensured
}

async fn ensure(connection: &mut PgConnection, names: &RoleNames) -> Result<Roles, sqlx::Error> {
    let reader = chosen(
        connection,
        "reader_role",
        names.reader.as_ref(),
        RoleNames::READER,
    )
    .await?;
    let operator = chosen(
        connection,
        "operator_role",
        names.operator.as_ref(),
        RoleNames::OPERATOR,
    )
    .await?;
    let mut roles = Roles::default();
    for name in [&reader, &operator] {
        match create(connection, name).await? {
            Found::There => {}
            Found::Created => roles.created.push(name.clone()),
            Found::Missing => roles.missing.push(name.clone()),
        }
    }
    if !is_anything_lacking(connection, [&reader, &operator], &roles).await? {
        roles.granted = [reader, operator]
            .into_iter()
            .filter(|name| !roles.missing.contains(name))
            .collect();
        return Ok(roles);
    }
    // Two that grant at once would trip over each other's catalog rows.
    let mut transaction = connection.begin().await?;
    lock(&mut transaction, "roles").await?;
    // Before anything is granted: what was the one's name may be the other's now.
    for (setting, name) in [("reader_role", &reader), ("operator_role", &operator)] {
        revoke_former(&mut transaction, setting, name).await?;
    }
    for (setting, name, callable) in [
        ("reader_role", &reader, Some(READERS.as_slice())),
        ("operator_role", &operator, None),
    ] {
        sqlx::query(SETTING)
            .bind(setting)
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        if roles.missing.contains(name) {
            continue;
        }
        let lacks: Vec<String> = sqlx::query_scalar(LACKS)
            .bind(name)
            .bind(callable)
            .fetch_all(&mut *transaction)
            .await?;
        for grant in lacks {
            let grant = format!("GRANT {grant} TO {}", quoted(name));
            sqlx::raw_sql(AssertSqlSafe(grant))
                .execute(&mut *transaction)
                .await?;
        }
        roles.granted.push(name.clone());
    }
    transaction.commit().await?;
    Ok(roles)
}

/// Only asked, since the lock is written: a start that changes nothing writes nothing.
async fn is_anything_lacking(
    connection: &mut PgConnection,
    [reader, operator]: [&String; 2],
    roles: &Roles,
) -> Result<bool, sqlx::Error> {
    for (setting, name, callable) in [
        ("reader_role", reader, Some(READERS.as_slice())),
        ("operator_role", operator, None),
    ] {
        let set: bool = sqlx::query_scalar(IS_SET)
            .bind(setting)
            .bind(name)
            .fetch_one(&mut *connection)
            .await?;
        if !set {
            return Ok(true);
        }
        if !roles.missing.contains(name) {
            let lacks = sqlx::query_scalar::<_, String>(LACKS)
                .bind(name)
                .bind(callable);
            if !lacks.fetch_all(&mut *connection).await?.is_empty() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Takes the rights on the public schema from a role that the setting named before, with a line in the operator log.
async fn revoke_former(
    transaction: &mut PgConnection,
    setting: &str,
    name: &str,
) -> Result<(), sqlx::Error> {
    let former: Option<String> = sqlx::query_scalar(FORMER)
        .bind(setting)
        .bind(name)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(former) = former else { return Ok(()) };
    let exists = "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)";
    if sqlx::query_scalar(exists)
        .bind(&former)
        .fetch_one(&mut *transaction)
        .await?
    {
        let from = quoted(&former);
        let revoke = format!(
            "REVOKE ALL ON ALL TABLES IN SCHEMA hookfast FROM {from}; \
             REVOKE ALL ON ALL FUNCTIONS IN SCHEMA hookfast FROM {from}; REVOKE ALL ON SCHEMA hookfast FROM {from}"
        );
        sqlx::raw_sql(AssertSqlSafe(revoke))
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query(LOG_CHANGE)
        .bind(setting)
        .bind(name)
        .bind(&former)
        .execute(&mut *transaction)
        .await
        .map(drop)
}

/// The configuration's, else what was set before: a command without the configuration changes no names.
async fn chosen(
    connection: &mut PgConnection,
    setting: &str,
    configured: Option<&RoleName>,
    default: &str,
) -> Result<String, sqlx::Error> {
    if let Some(name) = configured {
        return Ok(name.to_string());
    }
    let set = sqlx::query_scalar("SELECT value FROM hookfast_data.settings WHERE name = $1")
        .bind(setting);
    Ok(set
        .fetch_optional(connection)
        .await?
        .unwrap_or_else(|| default.to_owned()))
}

enum Found {
    There,
    Created,
    Missing,
}

/// Asked first, so that a start without the right to make roles leaves no error in the server's log.
async fn create(connection: &mut PgConnection, name: &str) -> Result<Found, sqlx::Error> {
    let (there, may): (bool, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1), \
            (SELECT rolsuper OR rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user)",
    )
    .bind(name)
    .fetch_one(&mut *connection)
    .await?;
    if there || !may {
        return Ok(if there { Found::There } else { Found::Missing });
    }
    let create = format!("CREATE ROLE {} NOLOGIN", quoted(name));
    let Err(error) = sqlx::raw_sql(AssertSqlSafe(create))
        .execute(connection)
        .await
    else {
        return Ok(Found::Created);
    };
    match error
        .as_database_error()
        .and_then(|error| error.code())
        .as_deref()
    {
        // Another process of this cluster was faster.
        Some("42710" | "23505") => Ok(Found::There),
        Some("42501") => Ok(Found::Missing),
        _ => Err(error),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

//! Creates the two database roles for people, reader and operator, and grants them their
//! privileges.

use super::{
    Database, Role, StoreError, catalog::functions::for_readers, connect::POOLED, error::within,
    locks::lock,
};
use crate::domain::{RoleName, RoleNames};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const IS_SET: &str =
    "SELECT EXISTS (SELECT FROM hookfast_data.settings s WHERE s.name = $1 AND s.value = $2)";
/// The former name in a setting, if it differs: $1 the setting, $2 its name now. The row is locked,
/// since it is changed next.
const FORMER: &str =
    "SELECT value FROM hookfast_data.settings WHERE name = $1 AND value <> $2 FOR UPDATE";

/// Records in the audit log that a role was replaced.
const LOG_CHANGE: &str =
    "SELECT hookfast_data.log('role.changed', $1, jsonb_build_object('role', $2, 'former', $3))";

const SETTING: &str = "INSERT INTO hookfast_data.settings AS s (name, value) VALUES ($1, $2) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE s.value <> excluded.value";

/// The privileges that a role lacks, each as the object of a GRANT: $1 the role, $2 the functions
/// that it may call, or null for all.
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

/// The state of the two roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// Roles that were created now.
    pub created: Vec<String>,
    /// Roles that do not exist, and that this role may not create.
    pub missing: Vec<String>,
    /// Roles that have their privileges now.
    pub granted: Vec<String>,
}

impl Roles {
    /// The statements for an administrator who may create roles; `None` if no role is missing.
    pub fn to_run(&self) -> Option<String> {
        let create = self
            .missing
            .iter()
            .map(|name| format!("CREATE ROLE {} NOLOGIN;", quoted(name)));
        (!self.missing.is_empty()).then(|| create.collect::<Vec<_>>().join("\n"))
    }
}

/// Creates both roles if this role may do so, and grants each the privileges that it lacks. Roles
/// belong to the cluster, and several databases may use them; the grants belong to this database.
///
/// # Errors
/// If the database cannot be queried, or this role may not grant a privilege. A missing role is not
/// an error.
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
    // Two processes that grant at the same time would conflict on the same catalog rows.
    let mut transaction = connection.begin().await?;
    lock(&mut transaction, "roles").await?;
    // Before any grant: the former name of one role may be the name of the other now.
    for (setting, name) in [("reader_role", &reader), ("operator_role", &operator)] {
        revoke_former(&mut transaction, setting, name).await?;
    }
    let readers = for_readers();
    for (setting, name, callable) in [
        ("reader_role", &reader, Some(readers.as_slice())),
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

/// Only reads, because taking the lock writes: a start that changes nothing writes nothing.
async fn is_anything_lacking(
    connection: &mut PgConnection,
    [reader, operator]: [&String; 2],
    roles: &Roles,
) -> Result<bool, sqlx::Error> {
    let readers = for_readers();
    for (setting, name, callable) in [
        ("reader_role", reader, Some(readers.as_slice())),
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

/// Revokes the privileges on schema `hookfast` from the role that the setting named before, and
/// records this in the audit log.
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

/// Returns the configured name, or else the stored one: a command without the configuration changes
/// no names.
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

/// Checks first, so that a start without the right to create roles leaves no error in the server's
/// log.
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
        // Another process on this cluster created it first.
        Some("42710" | "23505") => Ok(Found::There),
        Some("42501") => Ok(Found::Missing),
        _ => Err(error),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

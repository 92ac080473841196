//! Creates the database roles for people and for the console, and grants them their privileges.

use super::{
    Database, Role, StoreError,
    catalog::{Caller, functions::of_callers},
    connect::POOLED,
    error::within,
    locks::lock,
};
use crate::domain::{GrantedRole, RoleName, RoleNames};
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
/// that it may call, $3 whether it may read the views.
const LACKS: &str = "\
    SELECT 'USAGE ON SCHEMA hookfast' WHERE NOT has_schema_privilege($1, 'hookfast', 'USAGE') \
    UNION ALL \
    SELECT 'SELECT ON ' || string_agg(c.oid::regclass::text, ', ') FROM pg_catalog.pg_class c \
    WHERE $3 AND c.relnamespace = 'hookfast'::regnamespace AND c.relkind IN ('v', 'm') \
        AND NOT has_table_privilege($1, c.oid, 'SELECT') HAVING count(*) > 0 \
    UNION ALL \
    SELECT 'EXECUTE ON FUNCTION ' || string_agg(p.oid::regprocedure::text, ', ') FROM pg_catalog.pg_proc p \
    WHERE p.pronamespace = 'hookfast'::regnamespace AND p.prokind = 'f' AND p.proname = ANY ($2::text[]) \
        AND NOT has_function_privilege($1, p.oid, 'EXECUTE') HAVING count(*) > 0";

/// The state of the roles.
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

/// Creates the roles if this role may do so, and grants each the privileges that it lacks. Roles
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

/// What a role may do: its name, the functions that it may call, and whether it may read the views.
struct Grant {
    role: GrantedRole,
    name: String,
    callable: Vec<&'static str>,
}

impl Grant {
    fn new(role: GrantedRole, name: String) -> Self {
        use Caller::{Application, Console, Operator, Person, Reader, Support};
        let callers: &[Caller] = match role {
            GrantedRole::Reader => &[Reader, Person],
            GrantedRole::Support => &[Reader, Person, Support],
            GrantedRole::Operator => &[Reader, Person, Support, Operator, Application],
            GrantedRole::Console => &[Console],
        };
        Self {
            role,
            name,
            callable: of_callers(callers),
        }
    }

    async fn lacks(&self, connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar(LACKS)
            .bind(&self.name)
            .bind(&self.callable)
            .bind(self.role != GrantedRole::Console)
            .fetch_all(connection)
            .await
    }
}

async fn ensure(connection: &mut PgConnection, names: &RoleNames) -> Result<Roles, sqlx::Error> {
    let (mut roles, mut grants) = (Roles::default(), Vec::new());
    for role in GrantedRole::ALL {
        let name = chosen(connection, role, names.get(role)).await?;
        match create(connection, &name).await? {
            Found::There => {}
            Found::Created => roles.created.push(name.clone()),
            Found::Missing => roles.missing.push(name.clone()),
        }
        grants.push(Grant::new(role, name));
    }
    if !is_anything_lacking(connection, &grants, &roles).await? {
        let granted = grants.into_iter().map(|grant| grant.name);
        roles.granted = granted
            .filter(|name| !roles.missing.contains(name))
            .collect();
        return Ok(roles);
    }
    // Two processes that grant at the same time would conflict on the same catalog rows.
    let mut transaction = connection.begin().await?;
    lock(&mut transaction, "roles").await?;
    // Before any grant: the former name of one role may be the name of another now.
    for grant in &grants {
        revoke_former(&mut transaction, grant.role.setting(), &grant.name).await?;
    }
    for grant in grants {
        sqlx::query(SETTING)
            .bind(grant.role.setting())
            .bind(&grant.name)
            .execute(&mut *transaction)
            .await?;
        if roles.missing.contains(&grant.name) {
            continue;
        }
        for lacking in grant.lacks(&mut transaction).await? {
            let statement = format!("GRANT {lacking} TO {}", quoted(&grant.name));
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut *transaction)
                .await?;
        }
        roles.granted.push(grant.name);
    }
    transaction.commit().await?;
    Ok(roles)
}

/// Only reads, because taking the lock writes: a start that changes nothing writes nothing.
async fn is_anything_lacking(
    connection: &mut PgConnection,
    grants: &[Grant],
    roles: &Roles,
) -> Result<bool, sqlx::Error> {
    for grant in grants {
        let set: bool = sqlx::query_scalar(IS_SET)
            .bind(grant.role.setting())
            .bind(&grant.name)
            .fetch_one(&mut *connection)
            .await?;
        let is_missing = roles.missing.contains(&grant.name);
        if !set || !is_missing && !grant.lacks(connection).await?.is_empty() {
            return Ok(true);
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
    role: GrantedRole,
    configured: Option<&RoleName>,
) -> Result<String, sqlx::Error> {
    if let Some(name) = configured {
        return Ok(name.to_string());
    }
    let set = sqlx::query_scalar("SELECT value FROM hookfast_data.settings WHERE name = $1")
        .bind(role.setting());
    Ok(set
        .fetch_optional(connection)
        .await?
        .unwrap_or_else(|| role.default_name().to_owned()))
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

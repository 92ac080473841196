//! The login of the console: what it needs, and one for development.

use super::{Database, Role, StoreError, connect::POOLED, error::within};
use crate::domain::{GrantedRole, RoleName};
use sqlx::AssertSqlSafe;

const VERSION: &str = "SELECT current_setting('server_version_num')::integer";
const NAMES: &str = "SELECT value FROM hookfast_data.settings s JOIN pg_catalog.pg_roles r ON r.rolname = s.value \
    WHERE s.name = ANY ($1) ORDER BY s.name";
const EXISTS: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)";

/// Creates a login for the console if it is missing, gives it a password, and grants it the roles
/// that it takes. Only `hookfast dev` does this, in its own cluster; elsewhere an administrator
/// does.
///
/// Returns false while the roles do not exist yet.
///
/// # Errors
/// If the database cannot be queried, or this role may not create roles.
pub async fn make_console_login(
    database: &Database,
    login: &str,
    password: &str,
) -> Result<bool, StoreError> {
    let mut connection = database.connect(Role::General).await?;
    let settings = GrantedRole::ALL.map(|role| role.setting().to_owned());
    let make = async {
        let names: Vec<String> = sqlx::query_scalar(NAMES)
            .bind(settings.as_slice())
            .fetch_all(&mut connection.inner)
            .await?;
        if names.len() < GrantedRole::ALL.len() {
            return Ok(false);
        }
        let version: i32 = sqlx::query_scalar(VERSION)
            .fetch_one(&mut connection.inner)
            .await?;
        let exists: bool = sqlx::query_scalar(EXISTS)
            .bind(login)
            .fetch_one(&mut connection.inner)
            .await?;
        let verb = if exists { "ALTER" } else { "CREATE" };
        let (login, password) = (quoted(login), password.replace('\'', "''"));
        let mut statements = format!("{verb} ROLE {login} LOGIN NOINHERIT PASSWORD '{password}'; ");
        for name in names {
            statements.push_str(&grant(&name, &login, version));
        }
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut connection.inner)
            .await?;
        Ok(true)
    };
    let made = within(POOLED, "create the console's login", make).await;
    connection.close().await;
    made
}

/// From Postgres 16 on, a membership says by itself whether it is inherited.
fn grant(role: &str, login: &str, version: i32) -> String {
    let options = if version >= 160_000 {
        " WITH INHERIT FALSE, SET TRUE"
    } else {
        ""
    };
    format!("GRANT {} TO {login}{options}; ", quoted(role))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A login that the console may be using, and what it lacks or should not have.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ConsoleLogin {
    /// The name of the login.
    pub name: String,
    /// Whether it is a superuser.
    pub is_superuser: bool,
    /// Whether it is the owner of the schemas or a member of it.
    pub is_owner: bool,
    /// Whether it may take the role that begins and ends sessions.
    pub is_console: bool,
    /// The roles that it may not take, although visitors may have them.
    pub missing: Vec<String>,
    /// The roles whose rights it has before it takes them.
    pub inherited: Vec<String>,
    version: i32,
}

const LOGINS: &str = "WITH granted AS (SELECT r.oid, r.rolname, s.name FROM hookfast_data.settings s \
        JOIN pg_catalog.pg_roles r ON r.rolname = s.value WHERE s.name = ANY ($1)), \
    wanted AS (SELECT oid, rolname FROM granted \
        UNION SELECT oid, rolname FROM pg_catalog.pg_roles WHERE rolname = ANY ($2)) \
    SELECT l.rolname::text AS name, l.rolsuper AS is_superuser, \
        pg_has_role(l.oid, n.nspowner, 'MEMBER') AS is_owner, \
        coalesce((SELECT hookfast_data.can_set_role(l.oid, g.oid) FROM granted g WHERE g.name = 'console_role'), false) \
            AS is_console, \
        ARRAY(SELECT w.rolname::text FROM wanted w WHERE NOT hookfast_data.can_set_role(l.oid, w.oid) ORDER BY 1) \
            AS missing, \
        ARRAY(SELECT w.rolname::text FROM wanted w WHERE pg_has_role(l.oid, w.oid, 'USAGE') ORDER BY 1) AS inherited, \
        current_setting('server_version_num')::integer AS version \
    FROM pg_catalog.pg_roles l, pg_catalog.pg_namespace n \
    WHERE n.nspname = 'hookfast_data' AND l.rolcanlogin AND (l.rolname = $3 OR NOT l.rolsuper \
        AND EXISTS (SELECT FROM granted g WHERE g.name = 'console_role' AND hookfast_data.can_set_role(l.oid, g.oid))) \
    ORDER BY l.rolname";

/// Lists the logins that may take the console's role, and the named one. `roles` are those of
/// visitors besides the roles for people.
///
/// # Errors
/// If the database cannot be queried.
pub async fn console_logins(
    database: &Database,
    named: Option<&str>,
    roles: &[RoleName],
) -> Result<Vec<ConsoleLogin>, StoreError> {
    let mut connection = database.connect(Role::General).await?;
    let settings = GrantedRole::ALL.map(|role| role.setting().to_owned());
    let roles: Vec<_> = roles.iter().map(ToString::to_string).collect();
    let list = sqlx::query_as(LOGINS)
        .bind(settings.as_slice())
        .bind(roles)
        .bind(named)
        .fetch_all(&mut connection.inner);
    let logins = within(POOLED, "list the console's logins", list).await;
    connection.close().await;
    logins
}

impl ConsoleLogin {
    /// The statements that grant what is missing.
    pub fn grants(&self) -> String {
        self.granting(&self.missing)
    }

    /// The statements that end the inheriting.
    pub fn without_inheriting(&self) -> String {
        match self.version >= 160_000 {
            true => self.granting(&self.inherited),
            false => format!("ALTER ROLE {} NOINHERIT;", quoted(&self.name)),
        }
    }

    fn granting(&self, roles: &[String]) -> String {
        let login = quoted(&self.name);
        let statements: String = roles
            .iter()
            .map(|role| grant(role, &login, self.version))
            .collect();
        statements.trim_end().to_owned()
    }
}

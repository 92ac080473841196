//! The login of the console: what it needs, and one for development.

use super::{Database, Role, StoreError, connect::POOLED, error::within};
use crate::domain::GrantedRole;
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

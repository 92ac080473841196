//! What roles see that may only read. What roles can block that may only connect is tested in
//! `app::strangers`.

mod calls;
mod canary;
mod catalog;
mod reader;

use crate::support::postgres::Database;
use hookfast::internals::domain::RoleNames;
use hookfast::internals::store::ensure_roles;
use sqlx::PgConnection;

/// Creates a role of readers and a role of operators for this database; returns the readers' name.
async fn roles_of(database: &Database, admin: &mut PgConnection) -> String {
    let role: String = sqlx::query_scalar("SELECT 'readers_of_' || current_database()")
        .fetch_one(admin)
        .await
        .expect("a name");
    let operator = role.replace("readers", "operators");
    let name = |name: &str| Some(name.parse().expect("a role's name"));
    let names = RoleNames {
        reader: name(&role),
        operator: name(&operator),
        ..RoleNames::default()
    };
    ensure_roles(&database.url().parse().expect("a URL"), &names)
        .await
        .expect("the roles");
    role
}

//! The number of connections that a process opens, compared with what `hookfast check` reports.

use super::all_settled;
use crate::support::{
    airalo::{order, post},
    postgres::durable_cluster,
    server::{AIRALO_SECRET, Server},
    wait_until,
};
use sqlx::{Connection, PgConnection};
use std::process::Command;

const CONFIG: &str = "
[sources.airalo]
kind = 'airalo'
secrets = ['env:AIRALO_CLIENT_SECRET']

[handlers.six]
kind = 'sql'
types = ['*']
function = 'public.waits'
connections = 6

[handlers.four]
kind = 'sql'
types = ['*']
function = 'public.waits'
";

const OURS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'hookfast%'";
const TRANSACTIONS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hookfast transaction'";

/// The connections that `hookfast check` reports.
fn checked(url: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("hookfast.toml");
    std::fs::write(&config, CONFIG).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    command
        .args(["check", "--config"])
        .arg(&config)
        .env("DATABASE_URL", url);
    let output = command
        .env("AIRALO_CLIENT_SECRET", AIRALO_SECRET)
        .output()
        .expect("it runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    printed
        .lines()
        .find(|line| line.contains("connections: "))
        .unwrap_or_else(|| panic!("{printed}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_opens_no_more_connections_than_check_reports() {
    let cluster = durable_cluster().await;
    let printed = checked(&cluster.url());
    assert!(
        printed.starts_with("ok") && printed.contains("4 for handler 'four', 6 for handler 'six')"),
        "{printed}"
    );
    let (_, most) = printed.split_once("up to ").expect("a number");
    let most: i64 = most
        .split(' ')
        .next()
        .expect("a word")
        .parse()
        .expect("a number");

    let mut connection = PgConnection::connect(&cluster.url())
        .await
        .expect("a connection");
    let function = "CREATE FUNCTION public.waits(event hookfast.event) RETURNS void LANGUAGE sql \
        AS 'SELECT pg_advisory_xact_lock_shared(1)'; SELECT pg_advisory_lock(1)";
    sqlx::raw_sql(function)
        .execute(&mut connection)
        .await
        .expect("a function");
    let server = Server::serve(&cluster.url(), CONFIG, &[]);
    server.ready().await;
    let ingress = server.ingress().await;
    for request in 0..20 {
        assert_eq!(
            post(ingress, &order(&format!("request-{request}"), request))
                .await
                .0,
            200
        );
    }
    let pool = sqlx::PgPool::connect(&cluster.url())
        .await
        .expect("a connection");
    wait_until("all connections of both handlers", async || {
        super::count(&pool, TRANSACTIONS).await == 10
    })
    .await;
    let open = super::count(&pool, OURS).await;
    assert!(open > 10 && open <= most, "{open} of {most}");
    connection.close().await.expect("the lock is free");
    all_settled(&pool).await;
    assert_eq!(
        super::count(&pool, TRANSACTIONS).await,
        10,
        "none is opened for tasks of other roles"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_compares_the_connections_with_what_role_and_database_allow() {
    let cluster = durable_cluster().await;
    let mut connection = PgConnection::connect(&cluster.url())
        .await
        .expect("a connection");
    let mut url = url::Url::parse(&cluster.url()).expect("a URL");
    url.set_username("small").expect("a user");
    url.set_password(Some("a-password-of-the-test"))
        .expect("a password");
    for (limits, grade, reason) in [
        (
            "CREATE ROLE small LOGIN PASSWORD 'a-password-of-the-test'",
            "ok",
            "the server's max_connections allows 197",
        ),
        (
            "ALTER DATABASE hookfast CONNECTION LIMIT 50",
            "warning",
            "the database's CONNECTION LIMIT allows 50",
        ),
        (
            "ALTER ROLE small CONNECTION LIMIT 20",
            "error",
            "the role's CONNECTION LIMIT allows 20",
        ),
        (
            "ALTER ROLE small SUPERUSER",
            "ok",
            "the server's max_connections allows 200",
        ),
    ] {
        sqlx::raw_sql(limits)
            .execute(&mut connection)
            .await
            .expect("a limit");
        let printed = checked(url.as_str());
        assert!(
            printed.starts_with(grade) && printed.contains(reason),
            "{limits}: {printed}"
        );
    }
}

//! A process that is started on a server that only reads waits, and goes on when it may write.

use super::count;
use crate::support::{airalo::post, postgres::durable_cluster, server::Server};
use hookfast::sources::airalo::sample;
use std::process::Command;

const CONFIG: &str = "[sources.airalo]\nkind = \"airalo\"\nsecrets = [\"env:AIRALO_CLIENT_SECRET\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn on_a_standby_it_waits_and_takes_webhooks_once_that_is_promoted() {
    let mut cluster = durable_cluster().await;
    // A first start registers everything.
    let mut before = Server::serve(&cluster.url(), CONFIG, &[]);
    before.ready().await;
    before.kill().await;
    std::fs::write(cluster.data_dir().join("standby.signal"), "").expect("a standby from now on");
    cluster.restart().await.expect("a standby");
    let pool = sqlx::PgPool::connect(&cluster.url()).await.expect("connections");
    assert_eq!(count(&pool, "SELECT pg_is_in_recovery()::integer::bigint").await, 1);

    let server = Server::serve(&cluster.url(), CONFIG, &[]);
    server.logged("the server only reads").await;
    let body = sample("order.completed").expect("a sample");
    assert_eq!(post(server.ingress().await, body).await.0, 503);
    let mut migrate = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    let migrated = migrate.arg("migrate").env("DATABASE_URL", cluster.url()).output().expect("it runs");
    let said = String::from_utf8_lossy(&migrated.stdout);
    assert!(migrated.status.success() && said.contains("the server only reads"), "{migrated:?}");

    sqlx::query("SELECT pg_promote()").execute(&pool).await.expect("promoted");
    server.ready().await;
    assert_eq!(post(server.ingress().await, body).await.0, 200);
}

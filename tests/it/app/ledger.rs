//! The example of the README as a real program: its ledger is complete although the program is
//! killed repeatedly.

use crate::support::{
    airalo::Sending, postgres::database, server::Server, wait_until, wait_until_within,
};
use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Command,
    time::Duration,
};

const ORDERS: u64 = 1200;

/// Cargo builds the examples together with the tests, beside the binaries.
fn example() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_BIN_EXE_hookfast"))
        .parent()
        .expect("a folder")
        .join("examples/ledger");
    assert!(
        folder.exists(),
        "the example is not built: `cargo build --examples`, or run all tests"
    );
    folder
}

fn start(database_url: &str, address: SocketAddr) -> Server {
    let mut command = Command::new(example());
    command
        .env("DATABASE_URL", database_url)
        .env("LISTEN", address.to_string());
    Server::start(command, None)
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("bound")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_adds_up_while_its_processes_are_killed() {
    let database = database().await;
    let pool = database.pool().await;
    sqlx::query("CREATE TABLE ledger (event_id uuid, body jsonb)")
        .execute(&pool)
        .await
        .expect("a table");
    let addresses = [free_address(), free_address()];
    let mut servers = addresses.map(|address| start(database.url(), address));
    for server in &servers {
        server.logged("ready").await;
    }
    let mut sending = Sending::start(addresses.to_vec(), 0..ORDERS, 8);
    for kill in 1..=4 {
        wait_until("some that are acknowledged", async || {
            sending.acknowledged() > kill * 200
        })
        .await;
        servers[kill % 2].kill().await;
        servers[kill % 2] = start(database.url(), addresses[kill % 2]);
    }
    sending.finish().await;
    wait_until_within(Duration::from_secs(90), "an empty outbox", async || {
        let pending: i64 = sqlx::query_scalar("SELECT count(*) FROM hookfast_data.outbox")
            .fetch_one(&pool)
            .await
            .expect("a number");
        pending == 0
    })
    .await;
    let (booked, different, orders): (i64, i64, i64) =
        sqlx::query_as("SELECT count(*), count(DISTINCT event_id), count(DISTINCT body->>'request_id') FROM ledger")
            .fetch_one(&pool)
            .await
            .expect("numbers");
    assert_eq!(
        (booked, different, orders),
        (ORDERS as i64, ORDERS as i64, ORDERS as i64)
    );
}

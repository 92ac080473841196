//! An upgrade while webhooks arrive and the processes of the previous release deliver them.

use super::{Upgraded, later};
use crate::support::{airalo::Sending, server::Server, sink::Sink, wait_until};
use hookfast::internals::store::Migrated;

const ORDERS: u64 = 1500;

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_under_load_loses_no_webhook_and_the_release_before_runs_on() {
    let (mut database, sink) = (Upgraded::new().await, Sink::start().await);
    let url = database.database.url().to_owned();
    let config = sink.config("");
    let server = Server::serve(&url, &config, &[]);
    server.ready().await;
    let mut sending = Sending::start(vec![server.ingress().await], 0..ORDERS, 16);
    wait_until("some deliveries", async || sink.requests() > 200).await;
    let upgraded = database.migrate(&later()).await.expect("an upgrade");
    assert_eq!(
        upgraded,
        Migrated {
            migrations: 1,
            objects: 2
        }
    );
    assert!(
        sink.counts().len() < ORDERS as usize,
        "the load continued meanwhile"
    );
    sending.finish().await;
    wait_until("every delivery", async || {
        sink.counts().len() == ORDERS as usize
    })
    .await;
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    drop(server);

    let again = Server::serve(&url, &config, &[]);
    again.ready().await;
    Sending::start(vec![again.ingress().await], ORDERS..ORDERS + 10, 1)
        .finish()
        .await;
    wait_until("the later subscriber", async || {
        sink.counts().len() == ORDERS as usize + 10
    })
    .await;
    assert_eq!(
        database.comment().await,
        "of the later release",
        "the previous release did not revert it"
    );
}

//! Postgres is unavailable, crashes, or its answer to a commit is lost.

use super::{all_settled, count, each_delivered_once};
use crate::support::{
    airalo::{Sending, order, post},
    postgres::{database, durable_cluster},
    raw_http::Client,
    server::{Server, get},
    sink::Sink,
    tcp_proxy::TcpProxy,
    wait_until,
};

async fn head(address: std::net::SocketAddr) -> u16 {
    let mut client = Client::connect(address).await;
    client
        .send("HEAD /webhooks/airalo HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    client.answer_to_head().await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_is_handled_after_crashes_of_postgres_under_load() {
    let (mut cluster, sink) = (durable_cluster().await, Sink::start().await);
    let server = Server::serve(&cluster.url(), &sink.config(""), &[]);
    server.ready().await;
    let mut sending = Sending::start(vec![server.ingress().await], 0..3000, 16);
    for crash in 1..=2 {
        wait_until("some that are acknowledged", async || {
            sending.acknowledged() > crash * 700
        })
        .await;
        cluster.stop_immediate().await.expect("it crashes");
        cluster.restart().await.expect("it recovers");
    }
    sending.finish().await;
    assert!(sending.refused() > 0, "the crashes had an effect");
    let pool = sqlx::PgPool::connect(&cluster.url())
        .await
        .expect("a connection");
    all_settled(&pool).await;
    each_delivered_once(&pool, 3000).await;
    assert_eq!(sink.counts().len(), 3000);
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'lost'"
        )
        .await,
        0,
        "an outage uses up no attempt"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_get_503_while_postgres_is_unavailable_and_no_restart_is_needed() {
    let (database, sink) = (database().await, Sink::start().await);
    let line = TcpProxy::start(database.url()).await;
    line.cut();
    // It listens at once, and waits.
    let server = Server::serve(line.url(), &sink.config(""), &[]);
    let (ingress, admin) = (server.ingress().await, server.admin().await);
    assert_eq!(head(ingress).await, 200);
    let (status, problem) = post(ingress, &order("away", 1)).await;
    assert_eq!(
        (status, &problem["type"]),
        (503, &"urn:hookfast:problem:unavailable".into())
    );
    assert_eq!(get(admin, "/readyz").await, 503);
    assert_eq!(
        get(admin, "/healthz").await,
        200,
        "a waiting process does not count as stuck"
    );
    line.open();
    server.ready().await;
    assert_eq!(post(ingress, &order("away", 1)).await.1["status"], "stored");

    line.cut();
    wait_until("a refusal", async || {
        post(ingress, &order("again", 2)).await.0 == 503
    })
    .await;
    assert_eq!(head(ingress).await, 200);
    line.open();
    wait_until("the database", async || {
        post(ingress, &order("again", 2)).await.0 == 200
    })
    .await;
    let pool = database.pool().await;
    all_settled(&pool).await;
    each_delivered_once(&pool, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_one_event_and_one_delivery() {
    let (database, sink) = (database().await, Sink::start().await);
    let line = TcpProxy::start(database.url()).await;
    let server = Server::serve(line.url(), &sink.config(""), &[]);
    server.ready().await;
    let ingress = server.ingress().await;
    // The statement is prepared by now: its execution is cut, with the commit.
    assert_eq!(post(ingress, &order("before", 1)).await.0, 200);
    let broken = line.lose_answer_to(b"order:lost-answer:completed");
    let (status, answer) = post(ingress, &order("lost-answer", 2)).await;
    broken
        .await
        .expect("the line was cut after the statement was sent");
    // It was sent again on a new connection, and found itself stored.
    assert_eq!((status, &answer["status"]), (200, &"duplicate".into()));
    let (status, again) = post(ingress, &order("lost-answer", 2)).await;
    assert_eq!(
        (status, &again["status"], &again["event_id"]),
        (200, &"duplicate".into(), &answer["event_id"])
    );
    let pool = database.pool().await;
    all_settled(&pool).await;
    each_delivered_once(&pool, 2).await;
}

/// The claim is committed and its worker never gets the answer, while its lease stays valid.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_was_lost_is_free_again() {
    let (database, sink) = (database().await, Sink::start().await);
    let line = TcpProxy::start(database.url()).await;
    let server = Server::serve(line.url(), &sink.config(""), &[]);
    server.ready().await;
    let broken = line.lose_answer_to(b"hookfast: claimed events");
    assert_eq!(
        post(server.ingress().await, &order("lost-claim", 1))
            .await
            .0,
        200
    );
    broken.await.expect("the line was cut after the claim");
    let pool = database.pool().await;
    all_settled(&pool).await;
    each_delivered_once(&pool, 1).await;
    assert_eq!(sink.requests(), 1);
    assert_eq!(
        count(&pool, "SELECT count(*) FROM hookfast.attempts").await,
        1,
        "no attempt was used up"
    );
}

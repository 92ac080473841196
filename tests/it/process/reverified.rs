//! A wrong secret for a while, then the correct one: every genuine request is accepted once, and no
//! other.

use super::{all_settled, count};
use crate::support::{
    airalo::{order, post, request, request_signed_with},
    postgres::database,
    raw_http::Client,
    server::{AIRALO_SECRET, HANDLER_SECRET, Server},
    sink::Sink,
    wait_until,
};
use nix::sys::signal::Signal;
use sqlx::PgPool;
use std::{fs, net::SocketAddr, path::Path, time::SystemTime};

const GENUINE: u64 = 300;
const FORGED: u64 = 40;

/// A source whose secret is in a file, and whose requests with a wrong signature are quarantined.
fn config(sink: &Sink, secret: &Path) -> String {
    sink.config("").replace(
        "secrets = [\"env:AIRALO_CLIENT_SECRET\"]",
        &format!(
            "secrets = [\"file:{}\"]\non_invalid_signature = \"quarantine\"",
            secret.display()
        ),
    )
}

async fn send(to: SocketAddr, request: Vec<u8>) -> serde_json::Value {
    let mut client = Client::connect(to).await;
    client.send(request).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    answer.json()
}

async fn execute(pool: &PgPool, statement: &'static str) {
    sqlx::raw_sql(statement)
        .execute(pool)
        .await
        .expect(statement);
}

async fn no_action_is_requested(pool: &PgPool) {
    wait_until("the results of all requested actions", async || {
        count(
            pool,
            "SELECT count(*) FROM hookfast_data.quarantine WHERE requested_action IS NOT NULL",
        )
        .await
            == 0
    })
    .await;
}

fn body(n: u64) -> Vec<u8> {
    order(&format!("request-{n:017}"), n)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_wrong_secret_every_genuine_request_is_accepted_once() {
    let (database, sink, folder) = (
        database().await,
        Sink::start().await,
        tempfile::tempdir().expect("a folder"),
    );
    let secret = folder.path().join("secret");
    fs::write(&secret, "the secret of another account").expect("written");
    let server = Server::serve(database.url(), &config(&sink, &secret), &[]);
    server.ready().await;
    let (to, pool) = (server.ingress().await, database.pool().await);
    for n in 0..GENUINE {
        // As Airalo does if it is not sure: some of them are sent again.
        for _ in 0..=n % 3 / 2 {
            assert_eq!(send(to, request(&body(n))).await["status"], "quarantined");
        }
    }
    // And if it ran an order again: the same request, another order.
    for n in 0..10 {
        send(
            to,
            request(&order(&format!("request-{n:017}"), 1_000_000 + n)),
        )
        .await;
    }
    for n in 0..FORGED {
        send(
            to,
            request_signed_with("what a forger thinks it is", &body(n)),
        )
        .await;
    }
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM hookfast.events WHERE origin = 'webhook'"
        )
        .await,
        0
    );
    execute(&pool, "UPDATE hookfast_data.quarantine SET first_at = first_at - interval '1 hour', last_at = last_at - interval '1 hour'").await;

    // Still verified with the wrong secret: nothing changes.
    execute(
        &pool,
        "SELECT hookfast.reverify_quarantined('airalo', at_most => 10000, why => 'a test')",
    )
    .await;
    no_action_is_requested(&pool).await;
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM hookfast.quarantine WHERE last_result = 'wrong_signature'"
        )
        .await,
        350
    );

    fs::write(&secret, AIRALO_SECRET).expect("written");
    server.signal(Signal::SIGHUP);
    server.logged("configuration read again").await;
    // Some are sent again by themselves, and are accepted like any other.
    for n in 0..50 {
        assert_eq!(post(to, &body(n)).await.1["status"], "stored");
    }
    let preview: i64 =
        sqlx::query_scalar("SELECT matching FROM hookfast.reverify_quarantined('airalo')")
            .fetch_one(&pool)
            .await
            .expect("a preview");
    assert_eq!(preview, 350, "a preview requests nothing");
    // Two processes at the same work make no difference.
    let other = Server::serve(database.url(), &config(&sink, &secret), &[]);
    other.ready().await;
    execute(
        &pool,
        "SELECT hookfast.reverify_quarantined('airalo', at_most => 350, why => 'a test')",
    )
    .await;
    no_action_is_requested(&pool).await;

    let events = "SELECT count(*) FROM hookfast.events WHERE type = 'airalo.order.completed' AND source = 'airalo'";
    assert_eq!(count(&pool, events).await, 300, "each of them once");
    assert_eq!(
        count(
            &pool,
            "SELECT count(DISTINCT idempotency_key) FROM hookfast.events WHERE type = 'airalo.order.completed'"
        )
        .await,
        300
    );
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM hookfast.events WHERE origin = 'quarantine'"
        )
        .await,
        250 + 10
    );
    assert_eq!(
        count(&pool, "SELECT count(*) FROM hookfast.conflicts").await,
        10
    );
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM hookfast.quarantine WHERE last_result = 'wrong_signature'"
        )
        .await,
        FORGED as i64,
        "forged requests stay in quarantine"
    );
    assert_eq!(
        count(&pool, "SELECT count(*) FROM hookfast.quarantine").await,
        FORGED as i64
    );
    let answered = "SELECT sum((details->>'stored')::bigint)::bigint FROM hookfast.audit_log WHERE action = 'quarantine.answered'";
    assert_eq!(count(&pool, answered).await, 250);
    all_settled(&pool).await;
    let counts = sink.counts();
    assert_eq!(counts.len(), 310);
    assert!(
        counts.values().all(|&times| times == 1),
        "each is delivered once"
    );

    // An operator approves one more: the body is that of a known genuine order, so it is a
    // duplicate of that event.
    execute(
        &pool,
        "SELECT hookfast.approve_quarantined((SELECT min(quarantine_id) FROM hookfast.quarantine), 'Airalo says it is theirs')",
    )
    .await;
    no_action_is_requested(&pool).await;
    assert_eq!(
        count(&pool, "SELECT count(*) FROM hookfast.quarantine").await,
        FORGED as i64 - 1
    );
    assert_eq!(count(&pool, events).await, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_unsigned_request_becomes_an_event_verified_by_the_operator() {
    let (database, sink, folder) = (
        database().await,
        Sink::start().await,
        tempfile::tempdir().expect("a folder"),
    );
    let secret = folder.path().join("secret");
    fs::write(&secret, AIRALO_SECRET).expect("written");
    let server = Server::serve(database.url(), &config(&sink, &secret), &[]);
    server.ready().await;
    let pool = database.pool().await;
    send(
        server.ingress().await,
        request_signed_with("some secret of nobody's", &body(1)),
    )
    .await;
    // It was answered 200, so its sender sees no problem.
    server
        .logged("requests were rejected and none of them is stored as an event")
        .await;
    assert!(server.log().contains("wrong_signature"), "{}", server.log());
    let refused = sqlx::query(
        "SELECT hookfast.approve_quarantined((SELECT quarantine_id FROM hookfast.quarantine), '')",
    )
    .execute(&pool)
    .await;
    assert!(
        refused
            .expect_err("it requires a reason")
            .to_string()
            .contains("why is empty")
    );
    execute(
        &pool,
        "SELECT hookfast.approve_quarantined((SELECT quarantine_id FROM hookfast.quarantine), 'seen in their portal')",
    )
    .await;
    no_action_is_requested(&pool).await;
    let approved = "SELECT count(*) FROM hookfast.events WHERE origin = 'quarantine' AND verified_by = 'operator:' || session_user AND idempotency_key LIKE 'order:%'";
    assert_eq!(count(&pool, approved).await, 1);
    wait_until("its delivery", async || sink.requests() == 1).await;
}

/// No genuine request has to arrive for it: the rejected one was genuine.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_healthy_again_after_its_rejected_requests_were_accepted() {
    let (database, sink, folder) = (
        database().await,
        Sink::start().await,
        tempfile::tempdir().expect("a folder"),
    );
    let secret = folder.path().join("secret");
    fs::write(&secret, "the secret of another account").expect("written");
    let rejecting = config(&sink, &secret).replace("\"quarantine\"", "\"reject\"");
    let server = Server::serve(database.url(), &rejecting, &[]);
    server.ready().await;
    let pool = database.pool().await;
    let becomes = async |state: &'static str| {
        wait_until(&format!("the source to be {state}"), async || {
            let health = "SELECT state FROM hookfast.source_health WHERE source = 'airalo'";
            sqlx::query_scalar::<_, String>(health)
                .fetch_one(&pool)
                .await
                .expect("a state")
                == state
        })
        .await;
    };
    let ingress = server.ingress().await;
    for n in 0..4 {
        assert_eq!(post(ingress, &body(n)).await.0, 401);
    }
    becomes("all_rejected").await;
    wait_until("all four in quarantine", async || {
        count(&pool, "SELECT count(*) FROM hookfast.quarantine").await == 4
    })
    .await;
    fs::write(&secret, AIRALO_SECRET).expect("written");
    server.signal(Signal::SIGHUP);
    server.logged("configuration read again").await;
    execute(
        &pool,
        "SELECT hookfast.reverify_quarantined('airalo', at_most => 4, why => 'a test')",
    )
    .await;
    no_action_is_requested(&pool).await;
    becomes("ok").await;
    let counted = "SELECT sum(value)::bigint FROM hookfast_data.rollups WHERE subject = 'source:airalo' AND counter = 'stored'";
    assert_eq!(count(&pool, counted).await, 4);
}

/// A signature that covers the time is verified as of its arrival.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_signed_an_hour_ago_is_not_stale_when_reverified() {
    let (database, folder) = (database().await, tempfile::tempdir().expect("a folder"));
    let secret = folder.path().join("secret");
    fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaTT").expect("written");
    let config = format!(
        "[sources.acme]\nkind = \"standard_webhooks\"\nsecrets = [\"file:{}\"]\non_invalid_signature = \"quarantine\"\n",
        secret.display()
    );
    let server = Server::serve(database.url(), &config, &[]);
    server.ready().await;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let key = hookfast::internals::signing::standard_webhooks::parse_secret("test", HANDLER_SECRET)
        .expect("a secret");
    let (id, body) = ("msg_1", br#"{"type": "user.created"}"#);
    let signature = hookfast::internals::signing::standard_webhooks::sign(&[key], id, now, body);
    let request = format!(
        "POST /webhooks/acme HTTP/1.1\r\nhost: h\r\nwebhook-id: {id}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    assert_eq!(
        send(server.ingress().await, [request.as_bytes(), body].concat()).await["status"],
        "quarantined"
    );
    let pool = database.pool().await;
    // As if it had arrived an hour ago: both the signed time and the time of arrival.
    fs::write(&secret, HANDLER_SECRET).expect("written");
    server.signal(Signal::SIGHUP);
    server.logged("configuration read again").await;
    execute(
        &pool,
        "UPDATE hookfast_data.quarantine SET first_at = first_at + interval '1 hour'",
    )
    .await;
    execute(
        &pool,
        "SELECT hookfast.reverify_quarantined('acme', at_most => 1, why => 'a test')",
    )
    .await;
    no_action_is_requested(&pool).await;
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM hookfast.quarantine WHERE last_result = 'stale_signature'"
        )
        .await,
        1,
        "an hour before the arrival is too old"
    );
    execute(
        &pool,
        "UPDATE hookfast_data.quarantine SET first_at = first_at - interval '1 hour'",
    )
    .await;
    execute(
        &pool,
        "SELECT hookfast.reverify_quarantined('acme', at_most => 1, why => 'a test')",
    )
    .await;
    no_action_is_requested(&pool).await;
    assert_eq!(
        count(&pool, "SELECT count(*) FROM hookfast.events WHERE source = 'acme' AND type = 'acme.user.created'").await,
        1
    );
}

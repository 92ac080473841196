//! Secrets are posted through every path, and appear nowhere: not in the views of readers, not in
//! the log, not in the metrics.

use super::count;
use crate::support::{
    airalo::{request, request_signed_with},
    postgres::{Database, database},
    raw_http::Client,
    server::Server,
    wait_until,
};
use axum::http::StatusCode;
use hookfast::internals::app::{Builder, Subscription};
use hookfast::internals::domain::{Delivery, Outcome, RetryPolicy};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use std::{
    net::SocketAddr,
    process::{Command, Stdio},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The canary in every secret.
const CANARY: &str = "canary-7f3a9c";

/// The variable by which a child of this test finds its database.
const DATABASE: &str = "HOOKFAST_TEST_CANARY_DATABASE";

fn order(request_id: &str) -> Vec<u8> {
    serde_json::json!({
        "request_id": request_id,
        "data": {"id": 1, "code": "20261123-1", "manual_installation": format!("<p>{CANARY}-matching</p>"),
            "note": format!("the customer wrote: {CANARY}-matching does not work"),
            "sims": [{"iccid": "8900000000000000001", "lpa": format!("{CANARY}.example"), "matching_id": format!("{CANARY}-matching"),
                "qrcode": format!("LPA:1${CANARY}.example${CANARY}-matching"), "qrcode_url": format!("https://x/?{CANARY}"),
                "confirmation_code": CANARY, "direct_apple_installation_url": format!("https://x/?carddata={CANARY}")}]},
    })
    .to_string()
    .into_bytes()
}

/// With credentials, and a header of its own.
fn with_headers(request: Vec<u8>) -> Vec<u8> {
    let more = format!(
        "authorization: Bearer {CANARY}\r\ncookie: session={CANARY}\r\nx-custom: {CANARY}\r\ncontent-type: "
    );
    let text = String::from_utf8(request).expect("text");
    text.replacen("content-type: ", &more, 1).into_bytes()
}

async fn send(to: SocketAddr, request: Vec<u8>) -> u16 {
    let mut client = Client::connect(to).await;
    client.send(request).await;
    client.answer().await.status
}

/// Answers every request with its own body: 500, or 410 if the request demands it.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let routes = axum::Router::new()
        .route(
            "/",
            axum::routing::post(async |body: bytes::Bytes| {
                (StatusCode::INTERNAL_SERVER_ERROR, body)
            }),
        )
        .route(
            "/gone",
            axum::routing::post(async |body: bytes::Bytes| (StatusCode::GONE, body)),
        );
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

const SQL_SIDE: &str =
    "CREATE SCHEMA shop; CREATE FUNCTION shop.on_webhook(event hookfast.event) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN RAISE 'cannot book %', event.payload; END $$";

fn config(echo: SocketAddr, reader: &str) -> String {
    let http = |path: &str| {
        format!(
            "kind = \"http\"\ntypes = [\"airalo.*\"]\nurl = \"http://{echo}{path}\"\nsecrets = [\"env:HANDLER_SECRET\"]\nallow_private = true\n\
             headers = {{ x-api-key = \"{CANARY}-outgoing\" }}\nretry = {{ delays = [\"50ms\"] }}\n"
        )
    };
    format!(
        "[sources.airalo]\nkind = \"airalo\"\nsecrets = [\"env:AIRALO_CLIENT_SECRET\"]\n\
         [sources.shop]\nkind = \"sql\"\nsecret_fields = [\"pin\"]\n\
         [roles]\nreader = \"{reader}\"\noperator = \"{reader}_operator\"\n\
         [handlers.echo]\n{}[handlers.gone]\n{}\
         [handlers.books]\nkind = \"sql\"\ntypes = [\"*\"]\nfunction = \"shop.on_webhook\"\nretry = {{ delays = [\"50ms\"] }}\n\
         [handlers.stock]\nkind = \"pull\"\ntypes = [\"shop.*\"]\n",
        http("/"),
        http("/gone")
    )
}

/// All views of the schema `hookfast`, including future ones: those in which the canary is found,
/// as text or as bytes.
async fn found_in(connection: &mut PgConnection, views: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for view in views {
        let search = format!(
            "SELECT count(*) FROM hookfast.{view} v WHERE v::text LIKE '%{CANARY}%' OR v::text LIKE '%{}%'",
            hex::encode(CANARY)
        );
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(search))
            .fetch_one(&mut *connection)
            .await
            .expect(view);
        found.extend((rows > 0).then(|| view.clone()));
    }
    found
}

/// A program that embeds the library, in a separate process: its panic messages are not revealed.
async fn a_panicking_program(database: &Database) -> String {
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args([
            "process::canary::the_panicking_program",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(DATABASE, database.url())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process");
    let output = tokio::task::spawn_blocking(move || child.wait_with_output())
        .await
        .expect("no panic")
        .expect("its output");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is the program that the test below starts"]
async fn the_panicking_program() {
    let Ok(url) = std::env::var(DATABASE) else {
        return;
    };
    tracing_subscriber::fmt()
        .with_env_filter("debug,hookfast=trace")
        .with_writer(std::io::stderr)
        .init();
    let mut panics = Subscription::new("panics", &["airalo.*"]).expect("a name");
    panics.policy.retry = RetryPolicy::Delays(vec![]);
    let handler = async |delivery: Delivery| -> Outcome {
        panic!(
            "cannot handle {}",
            String::from_utf8_lossy(&delivery.event.body)
        );
    };
    let stop = CancellationToken::new();
    let app = Builder::new(&url)
        .expect("a URL")
        .handler(panics, handler)
        .build();
    let running = tokio::spawn(app.run(stop.clone()));
    let pool = PgPool::connect(&url).await.expect("connections");
    wait_until("the handler to have been registered", async || {
        count(
            &pool,
            "SELECT count(*) FROM hookfast.handler_health WHERE handler = 'panics'",
        )
        .await
            == 1
    })
    .await;
    let replay = "SELECT hookfast.replay(event_id, 'panics', 'a test') FROM hookfast.events WHERE type LIKE 'airalo.%' ORDER BY event_id LIMIT 1";
    sqlx::query(replay).execute(&pool).await.expect("a replay");
    wait_until("its dead letter", async || {
        count(
            &pool,
            "SELECT count(*) FROM hookfast.dead_letters WHERE handler = 'panics'",
        )
        .await
            == 1
    })
    .await;
    stop.cancel();
    running.await.expect("no panic").expect("it runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_view_of_readers_and_in_no_log_and_no_metric() {
    let database = database().await;
    let pool = database.pool().await;
    sqlx::raw_sql(SQL_SIDE)
        .execute(&pool)
        .await
        .expect("a function");
    let reader = format!("canary_reader_{}", std::process::id());
    let server = Server::serve_talkative(database.url(), &config(echo().await, &reader));
    server.ready().await;
    let to = server.ingress().await;
    assert_eq!(
        send(to, with_headers(request(&order("request-0001")))).await,
        200
    );
    assert_eq!(
        send(
            to,
            with_headers(request_signed_with(
                "nobody's secret at all",
                &order("request-0002")
            ))
        )
        .await,
        401
    );
    let enqueue = format!(
        "SELECT hookfast.enqueue('shop', 'shop.order.paid', '{{\"pin\": \"{CANARY}-pin\"}}')"
    );
    sqlx::query(AssertSqlSafe(enqueue))
        .execute(&pool)
        .await
        .expect("enqueued");
    let (lease, delivery): (i64, i64) =
        sqlx::query_as("SELECT lease_id, delivery_id FROM hookfast.claim('stock', 'a client')")
            .fetch_one(&pool)
            .await
            .expect("a claim");
    let fail = format!(
        "SELECT hookfast.fail({lease}, {delivery}, 'no place for {CANARY}-pin', dead => true)"
    );
    sqlx::query(AssertSqlSafe(fail))
        .execute(&pool)
        .await
        .expect("failed");
    for (query, number) in [
        // echo, books twice, stock
        ("SELECT count(*) FROM hookfast.dead_letters", 4),
        ("SELECT count(*) FROM hookfast.quarantine", 1),
        (
            "SELECT count(*) FROM hookfast.handler_health WHERE state = 'paused'",
            1,
        ),
        // Of the dead letters; the pause of a handler is reported within ten seconds.
        (
            "SELECT count(*) FROM hookfast.alerts WHERE type = 'hookfast.delivery.dead'",
            4,
        ),
        (
            "SELECT count(*) FROM hookfast.alerts WHERE type = 'hookfast.handler.paused'",
            1,
        ),
    ] {
        wait_until(query, async || count(&pool, query).await == number).await;
    }
    let program = a_panicking_program(&database).await;
    assert!(
        program.contains("a handler panicked"),
        "it panicked: {program}"
    );
    assert!(
        !program.contains(CANARY),
        "it reported that without the panic message: {program}"
    );

    let mut connection = database.connect().await;
    let views: Vec<String> = sqlx::query_scalar(
        "SELECT viewname::text FROM pg_views WHERE schemaname = 'hookfast' ORDER BY 1",
    )
    .fetch_all(&pool)
    .await
    .expect("the views");
    let owner = found_in(&mut connection, &views).await;
    let leaky = [
        "attempts",
        "conflicts",
        "dead_letters",
        "deliveries",
        "events",
        "failures",
        "handler_health",
        "alerts",
        "audit_log",
        "quarantine",
    ];
    let missed: Vec<_> = leaky
        .iter()
        .filter(|view| **view != "conflicts" && !owner.iter().any(|found| found == *view))
        .collect();
    assert!(
        missed.is_empty(),
        "the owner sees it, so the search works: {missed:?} {owner:?}"
    );
    sqlx::query(AssertSqlSafe(format!("SET ROLE {reader}")))
        .execute(&mut connection)
        .await
        .expect("the role is there");
    assert_eq!(
        found_in(&mut connection, &views).await,
        Vec::<String>::new()
    );
    let shown = "SELECT payload->'data'->>'code' || ' ' || (payload->'data'->'sims'->0->>'iccid') || ' ' || (headers->>'content-type') FROM hookfast.events WHERE type LIKE 'airalo.%'";
    let shown: String = sqlx::query_scalar(shown)
        .fetch_one(&mut connection)
        .await
        .expect("the rest is shown");
    assert_eq!(shown, "20261123-1 8900000000000000001 application/json");
    let leaks = format!(
        "SELECT count(*) FROM hookfast.timeline('request-0001') t WHERE t::text LIKE '%{CANARY}%'"
    );
    let leaks: i64 = sqlx::query_scalar(AssertSqlSafe(leaks))
        .fetch_one(&mut connection)
        .await
        .expect("a reader may query it");
    assert_eq!(leaks, 0);
    for refused in [
        "SELECT hookfast.retry(1, why => 'a test')",
        "SELECT * FROM hookfast_data.events",
        "SELECT hookfast.erase(gen_random_uuid(), 'x')",
    ] {
        assert!(
            sqlx::query(refused).execute(&mut connection).await.is_err(),
            "{refused}"
        );
    }
    sqlx::query("RESET ROLE")
        .execute(&mut connection)
        .await
        .expect("reset");

    let credentials = format!(
        "SELECT count(*) FROM (SELECT headers FROM hookfast_data.events UNION ALL SELECT headers FROM hookfast_data.quarantine) h WHERE h.headers ?| '{{authorization,cookie}}' OR h.headers::text LIKE '%Bearer {CANARY}%'"
    );
    assert_eq!(
        sqlx::query_scalar::<_, i64>(AssertSqlSafe(credentials))
            .fetch_one(&pool)
            .await
            .expect("a number"),
        0,
        "credentials are not stored at all"
    );
    let mut metrics = Client::connect(server.admin().await).await;
    metrics
        .send("GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n")
        .await;
    let metrics = String::from_utf8(metrics.answer().await.body).expect("text");
    assert!(
        metrics.contains("hookfast_webhooks_total") && !metrics.contains(CANARY),
        "{metrics}"
    );
    let log = server.log();
    assert!(
        log.contains("attempt ended"),
        "the log contains everything else"
    );
    let leaks: Vec<_> = log.lines().filter(|line| line.contains(CANARY)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    drop(server);
    for role in [reader.clone(), format!("{reader}_operator")] {
        sqlx::raw_sql(AssertSqlSafe(format!(
            "DROP OWNED BY {role}; DROP ROLE {role}"
        )))
        .execute(&pool)
        .await
        .expect("dropped");
    }
}

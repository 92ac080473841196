//! The receivers of `examples/receivers`: they accept what Hookfast's `http` handler sends, verify
//! it with a third-party library (PHP: with the lines beside it), and do the work of each webhook
//! once.

use crate::support::{
    airalo::post,
    client::{Receiver, receivers},
    postgres::database,
    server::{HANDLER_SECRET, Server},
    tcp_proxy::TcpProxy,
    wait_until, wait_until_within,
};
use hookfast::internals::signing::standard_webhooks;
use hookfast::sources::airalo::sample;
use sqlx::AssertSqlSafe;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ESIMS: &str = "SELECT coalesce(string_agg(iccid || ' ' || order_id || ' ' || (qrcode LIKE 'LPA:%'), ', ' ORDER BY iccid), 'none') FROM shop.esims";
const ALERTS: &str =
    "SELECT coalesce(string_agg(type, ', ' ORDER BY type), 'none') FROM shop.alerts";
const DELIVERED: &str = "SELECT count(*)::text FROM hookfast.deliveries WHERE state = 'delivered'";

#[tokio::test(flavor = "multi_thread")]
async fn each_language_verifies_an_order_and_handles_it_once() {
    for language in receivers() {
        let database = database().await;
        let pool = database.pool().await;
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/receivers/schema.sql");
        let schema = std::fs::read_to_string(schema).expect("the example's schema");
        sqlx::raw_sql(AssertSqlSafe(schema))
            .execute(&pool)
            .await
            .expect("tables");
        let receiver = Receiver::start(language, database.url()).await;
        let config = format!(
            "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n\
             [handlers.shop]\nkind = 'http'\ntypes = ['*']\nurl = '{}'\nsecrets = ['env:SHOP_WEBHOOK_SECRET']\n\
             allow_private = true\nretry = {{ delays = ['10ms'] }}\n",
            receiver.url
        );
        let server = Server::serve_with(
            database.url(),
            &config,
            &[("SHOP_WEBHOOK_SECRET", HANDLER_SECRET)],
        );
        server.ready().await;
        let text = async |query: &str| -> String {
            sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
                .fetch_one(&pool)
                .await
                .expect("a text")
        };
        for name in [
            "order.completed",
            "order.failed",
            "order.conflict",
            "low_data.90",
        ] {
            let body = sample(name).expect("a sample");
            assert_eq!(
                post(server.ingress().await, body).await.0,
                200,
                "{language} {name}"
            );
        }
        wait_until(&format!("{language}: all four"), async || {
            text(DELIVERED).await == "4"
        })
        .await;
        let esims = text(ESIMS).await;
        assert!(
            esims.contains(" true") && !esims.contains("false"),
            "{language}: {esims}"
        );
        assert_eq!(
            text(ALERTS).await,
            "airalo.order.completed.conflict, airalo.order.failed",
            "{language}"
        );

        // The same request again, as after a lost answer.
        let again = "SELECT hookfast.replay(event_id, 'shop', 'again')::text FROM hookfast.events WHERE type = 'airalo.order.completed'";
        text(again).await;
        wait_until(&format!("{language}: the repeat"), async || {
            text(DELIVERED).await == "5"
        })
        .await;
        assert_eq!(text(ESIMS).await, esims, "{language}");

        // A request that Hookfast did not sign, or signed long ago, is rejected and has no effect.
        let body = sample("order.completed").expect("a sample");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time")
            .as_secs();
        let right = standard_webhooks::parse_secret("it", HANDLER_SECRET).expect("a secret");
        let wrong = standard_webhooks::parse_secret(
            "it",
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        )
        .expect("one");
        for (secret, time, status) in [
            (&wrong, now, 401),
            (&right, now - 3600, 401),
            (&right, now, 204),
        ] {
            let signature =
                standard_webhooks::sign(std::slice::from_ref(secret), "by-hand", time, body);
            let request = hookfast_test_client()
                .post(&receiver.url)
                .header("webhook-id", "by-hand")
                .header("webhook-timestamp", time.to_string())
                .header("webhook-signature", signature)
                .header("hookfast-type", "airalo.low_data.90")
                .body(body);
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status().as_u16(), status, "{language}");
            let marked = "SELECT count(*)::text FROM shop.received WHERE webhook_id = 'by-hand'";
            assert_eq!(text(marked).await == "1", status == 204, "{language}");
        }
    }
}

/// As Hookfast reads it: an IPv6 address, escaped characters, and sslmode, without which a client
/// first requests TLS.
#[tokio::test(flavor = "multi_thread")]
async fn every_part_of_the_database_url_is_read() {
    let Ok(postgres) = tokio::net::TcpListener::bind("[::1]:0").await else {
        #[allow(clippy::print_stderr, reason = "a skipped test reports it")]
        {
            eprintln!("skipped: this machine has no ::1");
        }
        return;
    };
    let port = postgres.local_addr().expect("bound").port();
    let url = format!("postgres://shop%40night:a%2Bb+c@[::1]:{port}/the%20shop?sslmode=disable");
    for language in receivers() {
        let receiver = Receiver::start(language, &url).await;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time")
            .as_secs();
        let secret = standard_webhooks::parse_secret("it", HANDLER_SECRET).expect("a secret");
        let headers = [
            ("webhook-id", "by-hand"),
            ("webhook-timestamp", &*now.to_string()),
            (
                "webhook-signature",
                &*standard_webhooks::sign(&[secret], "by-hand", now, b"{}"),
            ),
            ("hookfast-type", "airalo.low_data.90"),
            ("content-length", "2"),
        ];
        let mut sender = tokio::net::TcpStream::connect(receiver.address)
            .await
            .expect("the receiver listens");
        sender.write_all(&raw(&headers, b"{}")).await.expect("sent");
        let (mut client, _) = tokio::time::timeout(Duration::from_secs(15), postgres.accept())
            .await
            .unwrap_or_else(|_| panic!("{language} does not connect: {}", receiver.errors()))
            .expect("a connection");
        let mut length = [0; 4];
        client.read_exact(&mut length).await.expect("a length");
        let mut startup = vec![0; u32::from_be_bytes(length) as usize - 4];
        client.read_exact(&mut startup).await.expect("a message");
        let startup = String::from_utf8_lossy(&startup).into_owned();
        for part in ["user\0shop@night\0", "database\0the shop\0"] {
            assert!(
                startup.contains(part),
                "{language}: {part:?} is not in {startup:?}"
            );
        }
        // Requests a password in clear text.
        client
            .write_all(b"R\0\0\0\x08\0\0\0\x03")
            .await
            .expect("queried");
        let mut password = [0; 11];
        client.read_exact(&mut password).await.expect("a password");
        assert_eq!(&password, b"p\0\0\0\x0aa+b+c\0", "{language}");
    }
}

/// Hookfast retries a request that the receiver could not process, so the receiver has to notice
/// the failure and reconnect.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_with_silently_dead_connections_handles_the_next_webhook() {
    for language in receivers() {
        let database = database().await;
        let pool = database.pool().await;
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/receivers/schema.sql");
        let schema = std::fs::read_to_string(schema).expect("the example's schema");
        sqlx::raw_sql(AssertSqlSafe(schema))
            .execute(&pool)
            .await
            .expect("tables");
        let line = TcpProxy::start(database.url()).await;
        let receiver = Receiver::start(language, line.url()).await;
        let config = format!(
            "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n\
             [handlers.shop]\nkind = 'http'\ntypes = ['*']\nurl = '{}'\nsecrets = ['env:SHOP_WEBHOOK_SECRET']\n\
             allow_private = true\ntimeout = '90s'\nretry = {{ delays = ['10ms', '1s', '1s', '1s'] }}\n",
            receiver.url
        );
        let server = Server::serve_with(
            database.url(),
            &config,
            &[("SHOP_WEBHOOK_SECRET", HANDLER_SECRET)],
        );
        server.ready().await;
        let received = async || {
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM shop.received")
                .fetch_one(&pool)
                .await
        };
        let answered = async || {
            let delivered = "SELECT count(*) FROM hookfast.attempts WHERE handler = 'shop' AND outcome = 'delivered'";
            sqlx::query_scalar::<_, i64>(delivered)
                .fetch_one(&pool)
                .await
        };
        for (name, count) in [("order.completed", 1), ("order.failed", 2)] {
            assert_eq!(
                post(server.ingress().await, sample(name).expect("a sample"))
                    .await
                    .0,
                200
            );
            let what = format!("{language}: {name}");
            wait_until_within(Duration::from_secs(45), &what, async || {
                received().await.expect("a count") == count
            })
            .await;
            // Until it has answered, it still uses the connection.
            wait_until(&what, async || answered().await.expect("a count") == count).await;
            line.freeze();
        }
    }
}

/// A request with these headers beside its path, and a body.
fn raw(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    [
        format!("POST /hook HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n").as_bytes(),
        body,
    ]
    .concat()
}

/// The status of the answer; 0 if the connection is closed without one.
async fn status_of(address: std::net::SocketAddr, request: &[u8]) -> u16 {
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("the receiver listens");
    let mut answer = [0; 12];
    let exchange = async {
        // A receiver may close before it has read everything.
        let _ = stream.write_all(request).await;
        stream.read_exact(&mut answer).await
    };
    match tokio::time::timeout(Duration::from_secs(18), exchange)
        .await
        .expect("an answer, or the end of the connection")
    {
        Ok(_) => String::from_utf8_lossy(&answer[9..])
            .parse()
            .expect("a status"),
        Err(_) => 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_requests_get_4xx_and_are_not_recorded() {
    for language in receivers() {
        let database = database().await;
        let receiver = Receiver::start(language, database.url()).await;
        let address = receiver.address;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time")
            .as_secs();
        let secret = standard_webhooks::parse_secret("it", HANDLER_SECRET).expect("a secret");
        let signed =
            |body: &[u8]| standard_webhooks::sign(std::slice::from_ref(&secret), "odd", now, body);
        let request = |length: &str, signature: &str, body: &[u8]| {
            let time = now.to_string();
            let names = [
                ("webhook-id", "odd"),
                ("webhook-timestamp", &*time),
                ("webhook-signature", signature),
            ];
            raw(&[&names[..], &[("content-length", length)]].concat(), body)
        };
        let body = b"{\"level\":\"90%\"}".as_slice();
        let (length, not_text) = (body.len().to_string(), b"\xff\xfe{}".as_slice());
        let good = signed(body);
        for (what, request) in [
            ("a negative length", request("-1", &good, body)),
            ("a length that is no number", request("1e3", &good, body)),
            ("a huge length", request("1000000000000", &good, body)),
            (
                "a signature without a version",
                request(&length, "abc", body),
            ),
            (
                "a signature of three parts",
                request(&length, "v1,a,b", body),
            ),
            ("a signature that is empty", request(&length, "v1,", body)),
            ("a version alone", request(&length, "v1", body)),
            (
                "a body that is not text",
                request("4", &signed(b"{}"), not_text),
            ),
            (
                "no headers at all",
                raw(&[("content-length", &length)], body),
            ),
            (
                "an invalid time",
                raw(
                    &[
                        ("webhook-id", "odd"),
                        ("webhook-timestamp", "1e400"),
                        ("webhook-signature", &good),
                        ("content-length", &length),
                    ],
                    body,
                ),
            ),
        ] {
            // PHP's own development server ends here before the program sees anything.
            if language == "php" && what == "a huge length" {
                continue;
            }
            let status = status_of(address, &request).await;
            // PHP's own server closes the connection if it cannot read a length.
            let closed = language == "php" && status == 0 && what.contains("length");
            assert!(
                (400..500).contains(&status) || closed,
                "{language}: {what} gets {status}"
            );
        }
        // PHP leaves this time limit to the server in front of it.
        if language != "php" {
            let silent = request("100", &good, body);
            let status = status_of(address, &silent).await;
            assert!(
                status == 0 || status == 408,
                "{language}: half a body gets {status}"
            );
        }
        let errors = receiver.errors();
        for trace in [
            "Traceback",
            "    at ",
            "Stack trace",
            "PHP Warning",
            "PHP Fatal",
        ] {
            assert!(!errors.contains(trace), "{language}: {errors}");
        }
        assert_eq!(
            status_of(address, &request(&length, "v1,AAAA", body)).await,
            401,
            "{language} continues"
        );
    }
}

/// Plain http needs no certificates, but the client requires a verifier.
fn hookfast_test_client() -> reqwest::Client {
    let tls = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("versions")
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .expect("a client")
}

//! The receivers of `examples/receivers`: they take what our `http` handler sends, verify it by a library that is not ours
//! (PHP: by the lines beside it), and do each webhook once.

use crate::support::{
    airalo::post,
    client::{Receiver, receivers},
    postgres::database,
    server::{HANDLER_SECRET, Server},
    wait_until,
};
use hookfast::signing::standard_webhooks;
use hookfast::sources::airalo::sample;
use sqlx::AssertSqlSafe;
use std::time::{SystemTime, UNIX_EPOCH};

const ESIMS: &str = "SELECT coalesce(string_agg(iccid || ' ' || order_id || ' ' || (qrcode LIKE 'LPA:%'), ', ' ORDER BY iccid), 'none') FROM shop.esims";
const ALERTS: &str = "SELECT coalesce(string_agg(type, ', ' ORDER BY type), 'none') FROM shop.alerts";
const DELIVERED: &str = "SELECT count(*)::text FROM hookfast.deliveries WHERE state = 'delivered'";

#[tokio::test(flavor = "multi_thread")]
async fn each_language_takes_an_order_verified_and_once() {
    for language in receivers() {
        let database = database().await;
        let pool = database.pool().await;
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/receivers/schema.sql");
        let schema = std::fs::read_to_string(schema).expect("the example's schema");
        sqlx::raw_sql(AssertSqlSafe(schema)).execute(&pool).await.expect("tables");
        let receiver = Receiver::start(language, database.url()).await;
        let config = format!(
            "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n\
             [handlers.shop]\nkind = 'http'\ntypes = ['*']\nurl = '{}'\nsecrets = ['env:SHOP_WEBHOOK_SECRET']\n\
             allow_private = true\nretry = {{ delays = ['10ms'] }}\n",
            receiver.url
        );
        let server = Server::serve_with(database.url(), &config, &[("SHOP_WEBHOOK_SECRET", HANDLER_SECRET)]);
        server.ready().await;
        let text = async |query: &str| -> String {
            sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&pool).await.expect("a text")
        };
        for name in ["order.completed", "order.failed", "order.conflict", "low_data.90"] {
            let body = sample(name).expect("a sample");
            assert_eq!(post(server.ingress().await, body).await.0, 200, "{language} {name}");
        }
        wait_until(&format!("{language}: all four"), async || text(DELIVERED).await == "4").await;
        let esims = text(ESIMS).await;
        assert!(esims.contains(" true") && !esims.contains("false"), "{language}: {esims}");
        assert_eq!(text(ALERTS).await, "airalo.order.completed.conflict, airalo.order.failed", "{language}");

        // The same once more, as after an answer that was lost.
        let again = "SELECT hookfast.replay(event_id, 'shop', 'again')::text FROM hookfast.events WHERE type = 'airalo.order.completed'";
        text(again).await;
        wait_until(&format!("{language}: the repeat"), async || text(DELIVERED).await == "5").await;
        assert_eq!(text(ESIMS).await, esims, "{language}");

        // What we did not sign, or long ago, is refused and leaves nothing.
        let body = sample("order.completed").expect("a sample");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
        let right = standard_webhooks::parse_secret("it", HANDLER_SECRET).expect("a secret");
        let wrong =
            standard_webhooks::parse_secret("it", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").expect("one");
        for (secret, time, status) in [(&wrong, now, 401), (&right, now - 3600, 401), (&right, now, 204)] {
            let signature = standard_webhooks::sign(std::slice::from_ref(secret), "by-hand", time, body);
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

/// Plain http needs no certificates, but the client wants to be told how it would verify them.
fn hookfast_test_client() -> reqwest::Client {
    let tls =
        rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().expect("a client")
}

//! Data that a sender with a source's secret may store. It must not stop any background task.

use super::{Running, source, subscription};
use crate::support::{airalo::order, postgres::database, wait_until_within};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{Delivery, Outcome};
use std::time::Duration;

/// Bodies of every structure, up to the limit of a body.
fn bodies() -> Vec<Vec<u8>> {
    let around = |open: &str, inside: &str, close: &str, depth: usize| {
        [open.repeat(depth), inside.to_owned(), close.repeat(depth)]
            .concat()
            .into_bytes()
    };
    let mut bodies = Vec::new();
    for depth in [100, 1000, 5000, 8000, 10_000, 12_500, 14_000, 20_000] {
        bodies.push(around("[", "1", "]", depth));
        bodies.push(around(r#"{"iccid":"#, r#""x""#, "}", depth));
        bodies.push(around(r#"[{"a":"#, "{}", "}]", depth));
    }
    bodies.push(around("[", "1", "]", 500_000));
    let text = format!(r#""{}""#, "x".repeat(200_000));
    bodies.extend(
        (0..24).map(|n| around(r#"{"a":"#, &format!(r#"{{"n":{n},"t":{text}}}"#), "}", 8000)),
    );
    bodies.push(format!("[{}1]", r#"{"a":{}},"#.repeat(100_000)).into_bytes());
    bodies.push(
        format!(
            "[{}1]",
            (0..40_000)
                .map(|n| format!(r#"{{"iccid":{n}}},"#))
                .collect::<String>()
        )
        .into_bytes(),
    );
    bodies.push(
        format!(
            "[{}1]",
            (0..20_000)
                .map(|n| format!(r#"{{"id":"\u0000{n}"}},"#))
                .collect::<String>()
        )
        .into_bytes(),
    );
    bodies.push(r#""iccid":"\"#.repeat(90_000).into_bytes());
    bodies.push(vec![b'"'; 1_000_000]);
    bodies.push(b"{\"iccid\":\"\xff\xfe\0\",\"id\":\"\xc3\x28\"}".to_vec());
    bodies.push(br#"{"id":1e999999,"iccid":-0.0e-999999,"code":"\ud800"}"#.to_vec());
    bodies.push(format!(r#"{{"id":1{}}}"#, "0".repeat(200_000)).into_bytes());
    bodies
}

const STANDS: &str = "SELECT concat_ws(', ', \
    (SELECT count(*) FROM hookfast_data.search_terms WHERE term = 'order-42') || ' indexed', \
    (SELECT count(*) FROM hookfast.find('order-42')) || ' found', \
    (SELECT count(*) FROM hookfast.alerts WHERE type = 'hookfast.conflict') || ' conflicts', \
    (SELECT count(*) FROM hookfast.alerts WHERE type = 'hookfast.delivery.dead') || ' dead', \
    (SELECT string_agg(state || ' ' || replayed, ' ') FROM hookfast.replays))";

#[tokio::test(flavor = "multi_thread")]
async fn no_body_stops_search_alerts_or_replays() {
    let database = database().await;
    let running = Running::start(&database, |builder| {
        let mut shop = subscription("shop");
        shop.types = vec!["*".parse().expect("a pattern")];
        builder
            .source(source(Reject))
            .sql_source("own".parse().expect("a name"))
            .handler(shop, |delivery: Delivery| async move {
                if delivery.event.idempotency_key.contains("doomed") {
                    Outcome::dead("never")
                } else {
                    Outcome::Delivered
                }
            })
    })
    .await;
    for (n, body) in bodies().iter().enumerate() {
        assert_eq!(
            running.post(body).await.0,
            200,
            "body {n} of {} bytes",
            body.len()
        );
    }
    for (request, id) in [
        ("order-1", 1),
        ("order-1", 2),
        ("doomed", 3),
        ("order-42", 42),
    ] {
        assert_eq!(running.post(&order(request, id)).await.0, 200);
    }
    running
        .execute(
            "SELECT hookfast.enqueue('own', 'own.paid', to_jsonb(n)) FROM generate_series(1, 4) n",
        )
        .await;
    running
        .execute(
            "SELECT hookfast.replay_all('shop', source => 'own', why => 'again', at_most => 10)",
        )
        .await;
    let expected = "1 indexed, 1 found, 1 conflicts, 1 dead, done 4";
    wait_until_within(Duration::from_secs(60), expected, async || {
        running.text(STANDS).await == expected
    })
    .await;
    let marked = "SELECT count(*) FROM hookfast_data.search_terms WHERE term = ''";
    assert_eq!(
        running.count(marked).await,
        2,
        "only those with too many values"
    );
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast.find('1e999999')")
            .await,
        1,
        "jsonb cannot hold it"
    );
    assert_eq!(
        running
            .count("SELECT matching FROM hookfast.erase_all(term => '39999')")
            .await,
        1,
        "the last of many values"
    );
    running.end().await;
}

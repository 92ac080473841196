//! Pages of lists that are not the first say how many rows are newer.

use super::{Site, run, text};

/// 60 dead letters, quarantined requests, orders without and with a result and notifications; 30 alerts.
const WORLD: &str = r#"
SELECT order_arrived(n), died(n) FROM generate_series(1, 60) n;
INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body)
    SELECT s.id, sha256(convert_to(n::text, 'UTF8')), CASE WHEN n > 52 THEN 'too_large' ELSE 'wrong_signature' END, '{}', 'x'
    FROM hookfast_data.sources s, generate_series(1, 112) n WHERE s.name = 'airalo';
INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body)
    SELECT hookfast_data.new_event_id(), s.id, 1, 'hookfast.lease.lost', 'hookfast', 'lost:' || n, '{}', '{}'
    FROM hookfast_data.sources s, generate_series(1, 30) n WHERE s.kind = 'hookfast';
INSERT INTO hookfast_data.airalo_expected (source_id, request_id, description, placed_at, expected_by, check_at)
    SELECT s.id, 'late-' || n, 'order ' || n, now() - interval '2 hours' - interval '1 second' * (n / 2),
        now() - interval '1 hour', now()
    FROM hookfast_data.sources s, generate_series(1, 60) n WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_orders (source_id, request_id, description, state, rank, quantity, event_id, received_at, conflicts)
    SELECT s.id, 'done-' || n, 'done ' || n, 'completed', 3, 1, event_of(n), now() - interval '2 hours' - interval '1 second' * (n / 3),
        ARRAY[event_of(1)]
    FROM hookfast_data.sources s, generate_series(1, 60) n WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_low_data (source_id, iccid, package, level, event_id, received_at)
    SELECT s.id, '89' || lpad(n::text, 17, '0'), 'one', '90', event_of(n), now() - interval '1 second' * (n / 4)
    FROM hookfast_data.sources s, generate_series(1, 60) n WHERE s.name = 'airalo';
"#;

/// The address of the next page.
fn next(page: &str) -> Option<String> {
    let (before, _) = page.split_once("\" rel=\"next\"")?;
    let address = before.rsplit("href=\"").next()?;
    let address = address.replace("&#38;", "&");
    Some(address.split('#').next()?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_list_says_how_many_rows_are_newer_than_its_page() {
    let site = Site::new().await;
    run(&site, WORLD.to_owned()).await;
    let visitor = site.visitor("ada", &site.operator).await;
    for (first, newer) in [
        ("/dead", &["50 newer"][..]),
        ("/dead?reason=attempts_exhausted", &["50 newer"]),
        ("/sources/airalo", &["50 newer", "100 newer"]),
        ("/sources/airalo?reason=too_large", &["50 newer"]),
        ("/alerts?state=all&window=all", &["20 newer"]),
        ("/alerts?state=reported&window=24h", &["20 newer"]),
        ("/orders?state=overdue", &["50 newer"]),
        ("/orders?state=double", &["50 newer"]),
        ("/orders?state=low_data", &["50 newer"]),
        ("/orders?state=all&within=24h", &["50 newer", "100 newer"]),
        ("/orders?state=all&within=all", &["50 newer", "100 newer"]),
    ] {
        let mut page = text(&visitor.get(first).await);
        assert!(!page.contains(" newer</a>"), "{first}");
        for newer in newer {
            let path = next(&page).expect(first);
            page = text(&visitor.get(&path).await);
            let (before, _) = page
                .split_once(&format!(">{newer}</a>"))
                .unwrap_or_else(|| panic!("{path}: {newer}"));
            let top = before.rsplit("href=\"").next().unwrap_or_default();
            let top = top
                .split('"')
                .next()
                .unwrap_or_default()
                .replace("&#38;", "&");
            assert_eq!(top.split('#').next(), Some(first), "{path}");
        }
        assert_eq!(next(&page), None, "{first}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_rows_are_counted_up_to_a_hundred() {
    let site = Site::new().await;
    run(&site, WORLD.to_owned()).await;
    run(
        &site,
        "INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body) \
         SELECT hookfast_data.new_event_id(), s.id, 1, 'hookfast.lease.lost', 'hookfast', 'more:' || n, '{}', '{}' \
         FROM hookfast_data.sources s, generate_series(1, 100) n WHERE s.kind = 'hookfast'"
            .to_owned(),
    )
    .await;
    let visitor = site.visitor("ada", &site.operator).await;
    let oldest = site
        .text(
            "(SELECT min(event_id::text) FROM hookfast.alerts WHERE type = 'hookfast.lease.lost')",
        )
        .await;
    let path = format!("/alerts?state=all&window=all&cursor={oldest}");
    let page = text(&visitor.get(&path).await);
    assert!(page.contains(">100+ newer</a>"), "{path}");
}

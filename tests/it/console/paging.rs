//! Each list with more rows of one time than a page has: every row is on one page. Events are in
//! `events`.

use super::{Site, Visitor, run, text};
use std::collections::BTreeSet;

const ROWS: usize = 5_000;

/// 5,000 of each, of one microsecond.
const WORLD: &str = r#"
SELECT order_arrived(1);
INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason, last_error, died_at)
    SELECT n, h.id, event_of(1), 3, 0, 'rejected', 'status 500: oh', '2026-01-01 00:00:00.123456Z'
    FROM hookfast_data.handlers h, generate_series(1, 5000) n WHERE h.name = 'shop';
INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempts_left, attempt_number, due_at)
    SELECT h.id, 10000 + n, event_of(1), 3, 0, NULL::timestamptz FROM hookfast_data.handlers h, generate_series(1, 5000) n
    WHERE h.name = 'shop' UNION ALL
    SELECT h.id, 20000 + n, event_of(1), 3, 1, '2100-01-01 00:00:00.123456Z'
    FROM hookfast_data.handlers h, generate_series(1, 5000) n WHERE h.name = 'shop' UNION ALL
    SELECT h.id, 30000 + n, event_of(1), 3, 1, 'infinity'
    FROM hookfast_data.handlers h, generate_series(1, 5000) n WHERE h.name = 'shop';
INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, finished_at)
    SELECT event_of(1), 40000 + n, 1, h.id, 'delivered', '2026-01-01 00:00:00.123456Z'
    FROM hookfast_data.handlers h, generate_series(1, 5000) n WHERE h.name = 'shop';
INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body, first_at, last_at)
    SELECT s.id, sha256(convert_to(n::text, 'UTF8')), 'wrong_signature', '{}', '{}', '2026-01-01', '2026-01-01'
    FROM hookfast_data.sources s, generate_series(1, 5000) n WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_orders (source_id, request_id, description, state, rank, quantity, event_id, received_at)
    SELECT s.id, 'done-' || n, 'done ' || n, 'completed', 3, 1, hookfast_data.new_event_id(), '2026-01-01 00:00:00.123456Z'
    FROM hookfast_data.sources s, generate_series(1, 5000) n WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_expected (source_id, request_id, description, placed_at, expected_by, check_at)
    SELECT s.id, 'late-' || n, 'late ' || n, '2026-01-01 00:00:00.123456Z', now() - interval '1 hour', now()
    FROM hookfast_data.sources s, generate_series(1, 5000) n WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_low_data (source_id, iccid, package, level, event_id, received_at)
    SELECT s.id, '8944' || n, 'p', '90', event_of(1), '2026-01-01 00:00:00.123456Z'
    FROM hookfast_data.sources s, generate_series(1, 5000) n WHERE s.name = 'airalo';
INSERT INTO hookfast_data.events (id, source_id, subscription_version, received_at, type, origin, idempotency_key, headers, body)
    SELECT overlay(gen_random_uuid()::text PLACING left(event_of(1)::text, 13) FROM 1)::uuid, s.id, 1, now(),
        'hookfast.delivery.dead', 'hookfast', n::text, '{}', '{}'
    FROM hookfast_data.sources s, generate_series(1, 5000) n WHERE s.name = 'hookfast';
ANALYZE
"#;

/// The ids of all pages of a list.
async fn walk(visitor: &Visitor<'_>, start: &str, before: &str) -> Vec<String> {
    let (mut found, mut next) = (Vec::new(), Some(start.to_owned()));
    while let Some(address) = next {
        let answer = visitor.get(&address).await;
        let page = text(&answer);
        assert_eq!(answer.status, 200, "{address}: {page}");
        let rows = page.split(before).skip(1);
        found.extend(rows.filter_map(|row| Some(row.split_once('"')?.0.to_owned())));
        next = page.split_once("\" rel=\"next\"").map(|(before, _)| {
            let (_, address) = before.rsplit_once("href=\"").expect("an address");
            address.replace("&#38;", "&")
        });
        assert!(found.len() <= 2 * ROWS, "the pages of {start} do not end");
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_rows_of_one_time_are_listed_once_each() {
    let site = Site::new().await;
    for statement in WORLD.split(";\n") {
        run(&site, statement.to_owned()).await;
    }
    let visitor = site.visitor("mira", &site.operator).await;
    let order = "<th scope=\"row\" data-label=\"Order\"><a href=\"";
    let delivery = "<tr id=\"delivery-";
    for (start, before) in [
        ("/dead", delivery),
        ("/dead?handler=shop", delivery),
        ("/dead?type=airalo.*", delivery),
        ("/handlers/shop?state=dead", delivery),
        ("/handlers/shop?state=ready", delivery),
        ("/handlers/shop?state=retrying", delivery),
        ("/handlers/shop?state=waiting", delivery),
        ("/handlers/shop?state=delivered", delivery),
        ("/sources/airalo", "<a href=\"/quarantine/"),
        ("/orders", order),
        (
            "/orders?state=low_data",
            "<a class=\"mono\" href=\"/orders?q=",
        ),
        (
            "/alerts?state=reported&window=all",
            "<section class=\"section\" id=\"alert-",
        ),
    ] {
        let found = walk(&visitor, start, before).await;
        let distinct: BTreeSet<_> = found.iter().collect();
        assert_eq!((found.len(), distinct.len()), (ROWS, ROWS), "{start}");
    }
    // Orders with and without a result.
    let found = walk(&visitor, "/orders?state=all&within=all", order).await;
    let distinct: BTreeSet<_> = found.iter().collect();
    assert_eq!((found.len(), distinct.len()), (2 * ROWS, 2 * ROWS));
}

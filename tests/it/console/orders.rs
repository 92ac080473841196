//! The pages of orders: each order once, found by what a support desk has, without secrets.

use super::{Site, Visitor, run, text};
use std::collections::BTreeSet;

/// Orders of one time, with and without a result; one with a SIM and its codes; and a double
/// purchase.
const ORDERS: &str = r#"
SELECT order_arrived(n) FROM generate_series(1, 2) n;
INSERT INTO hookfast_data.airalo_expected (source_id, request_id, description, placed_at, expected_by, check_at)
    SELECT s.id, 'late-' || n, 'late order ' || n, '2026-01-01 00:00:00.123456Z', now() - interval '34 minutes', now()
    FROM hookfast_data.sources s, generate_series(1, 60) n WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_expected (source_id, description, placed_at, expected_by, check_at, unknown_why)
    SELECT s.id, 'lost & <b>found</b>' || chr(8238), '2026-01-01 00:00:00.123456Z', now() - interval '34 minutes', now(),
    'no response' FROM hookfast_data.sources s WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_orders (source_id, request_id, description, state, rank, quantity, event_id, received_at)
    SELECT s.id, 'done-' || n, 'done order ' || n, 'completed', 3, 1, hookfast_data.new_event_id(), '2026-01-01 00:00:00.123456Z'
    FROM hookfast_data.sources s, generate_series(1, 60) n WHERE s.name = 'airalo';
UPDATE hookfast_data.airalo_orders SET event_id = event_of(1), conflicts = ARRAY[event_of(2)], order_id = '700001'
    WHERE request_id = 'done-1';
INSERT INTO hookfast_data.airalo_sims (source_id, iccid, order_row, conflict, lpa, matching_id, qrcode, event_id, received_at)
    SELECT o.source_id, '8944000000000000017', o.id, false, 'CANARY-lpa', 'CANARY-matching', 'CANARY-qr', event_of(1), now()
    FROM hookfast_data.airalo_orders o WHERE o.request_id = 'done-1';
"#;

async fn site() -> Site {
    let site = Site::new().await;
    run(&site, ORDERS.to_owned()).await;
    site
}

fn unescaped(text: &str) -> String {
    text.replace("&#38;", "&")
}

/// The addresses of the orders of all pages of a list, in their order.
async fn walk(visitor: &Visitor<'_>, start: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = Some(start.to_owned());
    while let Some(address) = next {
        let answer = visitor.get(&address).await;
        let page = text(&answer);
        assert_eq!(answer.status, 200, "{address}: {page}");
        let rows = page.split("<tbody>").nth(1).unwrap_or_default();
        let links = rows
            .split("<tr>")
            .filter_map(|row| row.split_once("<a href=\"")?.1.split_once('"'));
        found.extend(links.map(|(address, _)| unescaped(address)));
        next = page
            .split_once("\" rel=\"next\"")
            .and_then(|(before, _)| before.rsplit_once("href=\""))
            .map(|(_, address)| unescaped(address));
        assert!(found.len() < 1000, "the pages do not end");
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn each_order_of_one_time_is_listed_once() {
    let site = site().await;
    let visitor = site.visitor("ada", &site.reader).await;
    for (start, expected) in [
        ("/orders", 61),
        ("/orders?state=all&within=all", 121),
        ("/orders?state=double", 1),
        ("/orders?state=all", 0),
    ] {
        let found = walk(&visitor, start).await;
        let distinct: BTreeSet<_> = found.iter().collect();
        assert_eq!(
            (found.len(), distinct.len()),
            (expected, expected),
            "{start}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_found_by_what_a_support_desk_has() {
    let site = site().await;
    let visitor = site.visitor("ada", &site.support).await;
    for (term, expected) in [
        ("late+order+7", "/orders/airalo/late-7"),
        ("late-7", "/orders/airalo/late-7"),
        ("8944000000000000017", "/orders/airalo/done-1"),
        ("700001", "/orders/airalo/done-1"),
    ] {
        let found = walk(&visitor, &format!("/orders?q={term}")).await;
        assert_eq!(found, [expected], "{term}");
    }
    let none = text(&visitor.get("/orders?q=late").await);
    assert!(none.contains("No order matches"), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_says_who_is_silent_and_shows_no_secret() {
    let site = site().await;
    for (name, role) in [
        ("ada", &site.reader),
        ("bo", &site.support),
        ("cy", &site.operator),
    ] {
        let visitor = site.visitor(name, role).await;
        let done = text(&visitor.get("/orders/airalo/done-1").await);
        assert!(!done.contains("CANARY"), "{name}");
        assert!(
            done.contains("QR code, matching id, server"),
            "{name}: {done}"
        );
        assert!(done.contains("Possibly bought twice"), "{name}: {done}");
        assert_eq!(
            done.contains("/act/reveal?event_id="),
            name != "ada",
            "{name}"
        );
        let late = text(&visitor.get("/orders/airalo/late-1").await);
        assert!(late.contains("Airalo is silent"), "{name}: {late}");
        assert!(late.contains("34 min late"), "{name}: {late}");
        assert!(
            late.contains("The shop has nothing, since there is no result."),
            "{name}"
        );
        let act =
            |function: &str| late.contains(&format!("/act/{function}?description=late+order+1"));
        assert_eq!(act("airalo_check_order"), name != "ada", "{name}");
        assert_eq!(act("airalo_forget_order"), name == "cy", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_results_the_page_says_which_the_shop_has_and_offers_to_send_neither() {
    let site = site().await;
    let operator = site.visitor("cy", &site.operator).await;
    let page = async || text(&operator.get("/orders/airalo/done-1").await);
    let deliver = async |n: u32| {
        let delivered = format!(
            "INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome) \
             SELECT event_of({n}), 7000 + {n}, 1, h.id, 'delivered' FROM hookfast_data.handlers h WHERE h.name = 'shop'"
        );
        run(&site, delivered).await;
    };
    let takers = |page: &str| -> Vec<String> {
        let cells = page.split("data-label=\"Handlers that have it\">").skip(1);
        let cell = |cell: &str| cell.split("</td>").next().unwrap_or_default().to_owned();
        cells.map(cell).collect()
    };
    let none = "<span class=\"dim\">none</span>";
    let first = page().await;
    assert_eq!(takers(&first), [none, none]);
    deliver(2).await;
    let one = page().await;
    assert_eq!(takers(&one), [none, "shop"]);
    assert!(one.contains("Compare the results, and ask Airalo"), "{one}");
    deliver(1).await;
    let both = page().await;
    assert_eq!(takers(&both), ["shop", "shop"]);
    let twice = "The shop has more than one of these results.";
    assert!(both.contains(twice) && !one.contains(twice), "{both}");
    for page in [first, one, both] {
        assert!(page.contains("it may have been bought twice"), "{page}");
        assert!(!page.contains("/act/replay"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_without_a_request_id_has_a_page_and_its_text_is_escaped() {
    let site = site().await;
    let visitor = site.visitor("ada", &site.reader).await;
    let found = walk(&visitor, "/orders").await;
    let address = found
        .iter()
        .find(|address| address.contains("?description="))
        .expect("an order without a request id");
    let page = text(&visitor.get(address).await);
    assert!(
        page.contains("Nobody knows yet whether Airalo accepted"),
        "{page}"
    );
    assert!(
        !page.contains("<b>found") && !page.contains('\u{202e}'),
        "{page}"
    );
    assert!(page.contains("U+202E"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_addresses_have_a_page_that_says_so() {
    let site = site().await;
    let visitor = site.visitor("ada", &site.reader).await;
    for (address, status) in [
        ("/orders?state=other", 404),
        ("/orders?state=all&within=5d", 404),
        ("/orders?cursor=x", 404),
        ("/orders/airalo", 404),
        ("/orders/airalo/%ff", 404),
        ("/orders/nobody/late-1", 404),
        ("/orders/airalo/a%00b", 422),
        ("/sources/nobody", 404),
        ("/sources/airalo?cursor=x", 404),
        ("/quarantine/x", 404),
        ("/quarantine/99", 404),
        ("/quarantine/99999999999999999999", 404),
    ] {
        let answer = visitor.get(address).await;
        assert_eq!(answer.status, status, "{address}");
        assert!(text(&answer).contains("<h1"), "{address}");
    }
}

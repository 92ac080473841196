//! What Find finds, and where each kind of result leads.

use super::{Site, run, text};

const WORLD: &str = r#"
SELECT order_arrived(1), died(1);
SELECT order_arrived(2), pending(2);
INSERT INTO hookfast_data.airalo_expected (source_id, request_id, description, placed_at, expected_by, check_at, unknown_why)
    SELECT s.id, r, d, now(), now() + interval '1 hour', now(), CASE WHEN r IS NULL THEN 'no response' END
    FROM hookfast_data.sources s, (VALUES ('a/b?c', 'order 4711'), (NULL, 'lost order'), ('..', 'order of dots')) x (r, d)
    WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_orders (source_id, request_id, order_id, description, state, rank, quantity, event_id, received_at)
    SELECT s.id, 'done-1', '700001', 'done order', 'completed', 3, 1, event_of(2), now()
    FROM hookfast_data.sources s WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_sims (source_id, iccid, order_row, conflict, event_id, received_at)
    SELECT o.source_id, '8944000000000000017', o.id, false, event_of(2), now() FROM hookfast_data.airalo_orders o;
INSERT INTO hookfast_data.quarantine (id, source_id, digest, reason, headers, body) OVERRIDING SYSTEM VALUE
    SELECT n, s.id, sha256(convert_to(n::text, 'UTF8')), 'wrong_signature', '{}', 'x'
    FROM hookfast_data.sources s, unnest('{900017,1002}'::integer[]) n WHERE s.name = 'airalo';
"#;

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_result_leads_to_its_page() {
    let site = Site::new().await;
    run(&site, WORLD.to_owned()).await;
    let (first, second) = (
        site.text("(SELECT event_of(1)::text)").await,
        site.text("(SELECT event_of(2)::text)").await,
    );
    let visitor = site.visitor("ada", &site.reader).await;
    for (term, address, shows) in [
        (first.as_str(), format!("/events/{first}"), first.as_str()),
        (
            "order:request-2:completed",
            format!("/events/{second}"),
            &second,
        ),
        ("request-1", format!("/events/{first}"), &first),
        ("1001", format!("/events/{first}"), "title=\"1001\""),
        (
            "900017",
            "/quarantine/900017".to_owned(),
            "<h1>Quarantined request 900017",
        ),
        (
            "order+4711",
            "/orders/airalo/a%2Fb%3Fc".to_owned(),
            "order 4711",
        ),
        ("a/b?c", "/orders/airalo/a%2Fb%3Fc".to_owned(), "order 4711"),
        (
            "lost+order",
            "/orders/airalo?description=lost+order".to_owned(),
            "Nobody knows yet",
        ),
        (
            "order+of+dots",
            "/orders/airalo?request_id=..&description=order+of+dots".to_owned(),
            "order of dots",
        ),
        ("700001", "/orders/airalo/done-1".to_owned(), "done order"),
        (
            "8944000000000000017",
            "/orders/airalo/done-1".to_owned(),
            "8944000000000000017",
        ),
        ("shop", "/handlers/shop".to_owned(), "<h1"),
        ("airalo", "/sources/airalo".to_owned(), "<h1"),
    ] {
        let found = visitor.get(&format!("/find?q={term}")).await;
        assert_eq!(found.header("location"), Some(address.as_str()), "{term}");
        let page = visitor.get(&address).await;
        assert_eq!(page.status, 200, "{address}");
        assert!(text(&page).contains(shows), "{address}: {shows}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_results_are_listed_with_their_pages() {
    let site = Site::new().await;
    run(&site, WORLD.to_owned()).await;
    let rename = "UPDATE hookfast_data.airalo_orders SET request_id = 'request-1', description = 'request-1'";
    run(&site, rename.to_owned()).await;
    let first = site.text("(SELECT event_of(1)::text)").await;
    let second = site.text("(SELECT event_of(2)::text)").await;
    let visitor = site.visitor("ada", &site.reader).await;
    for (term, links) in [
        (
            "request-1",
            [
                "/orders/airalo/request-1".to_owned(),
                format!("/events/{first}"),
            ],
        ),
        (
            "1002",
            ["/quarantine/1002".to_owned(), format!("/events/{second}")],
        ),
    ] {
        let page = visitor.get(&format!("/find?q={term}")).await;
        assert_eq!(page.status, 200, "{term}");
        for link in links {
            assert!(
                text(&page).contains(&format!("href=\"{link}\"")),
                "{term}: {link}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_that_nothing_has_finds_nothing() {
    let site = Site::new().await;
    run(&site, WORLD.to_owned()).await;
    let visitor = site.visitor("ada", &site.reader).await;
    for term in ["request", "8944", "secret", "2000", "%25"] {
        let page = visitor.get(&format!("/find?q={term}")).await;
        assert_eq!(page.status, 200, "{term}");
        assert!(
            text(&page).contains("Nothing has exactly this value"),
            "{term}"
        );
    }
}

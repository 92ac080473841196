//! Dead letters: groups, filters, and acts with the same filters.

use super::{Site, handlers::all_rows, run, text};

const WORLD: &str = r#"
SELECT order_arrived(n) FROM generate_series(1, 175) n;
SELECT died(n, 'status 500: <b>out of stock', died_at => '2026-01-01') FROM generate_series(1, 130) n;
SELECT died(n, 'connection refused: shop', died_at => now()) FROM generate_series(131, 160) n;
SELECT died(n, '50%_off: no', 'crm', now()) FROM generate_series(161, 175) n;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn groups_filter_the_rows_and_the_acts() {
    let site = Site::new().await;
    run(&site, WORLD.to_owned()).await;
    let operator = site.visitor("mira", &site.operator).await;
    let all = text(&operator.get("/dead").await);
    for expected in [
        "175 dead letters, no filter",
        "/dead?handler=shop&#38;reason=attempts_exhausted&#38;error=status+500%3A%25",
        r"/dead?handler=crm&#38;reason=attempts_exhausted&#38;error=50%5C%25%5C_off%3A%25",
    ] {
        assert!(all.contains(expected), "{expected}");
    }
    assert!(!all.contains("<b>out of"), "escaped");
    assert_eq!(
        all.matches("airalo.order.completed (newest 20)").count(),
        2,
        "two groups of more than 20 name the type of their newest"
    );
    assert!(all.contains("data-label=\"Types\">airalo.order.completed</td>"));
    assert!(all.contains("no attempt left"), "reasons are words");

    for (path, count) in [
        ("/dead?handler=shop&error=status+500%3A%25", 130),
        ("/dead?handler=crm&error=50%5C%25%5C_off%3A%25", 15),
        ("/dead?after=24h", 45),
        ("/dead?before=2026-01-02", 130),
        ("/dead?reason=attempts_exhausted", 175),
        ("/dead?reason=lost", 0),
        ("/dead?type=airalo.order.*", 175),
        ("/dead?type=airalo.sim.*", 0),
        ("/dead?handler=nobody", 0),
    ] {
        let mut rows = all_rows(&operator, path).await;
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), count, "{path}");
    }
    let narrowed = text(
        &operator
            .get("/dead?handler=shop&error=status+500%3A%25&before=2026-01-02")
            .await,
    );
    assert!(narrowed.contains("130 match these filters"));
    assert!(narrowed.contains(
        "/act/retry_all?handler=shop&#38;error=status+500%3A%25&#38;died_before=2026-01-02+00%3A00%3A00.000000%2B00"
    ));
    let by_reason = text(&operator.get("/dead?reason=attempts_exhausted").await);
    assert!(by_reason.contains("/act/retry_all?reason=attempts_exhausted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_neither_errors_nor_acts() {
    let site = Site::new().await;
    run(&site, WORLD.to_owned()).await;
    let reader = site.visitor("rosa", &site.reader).await;
    let page = text(&reader.get("/dead").await);
    assert!(page.contains("175 dead letters") && page.contains("hidden from readers"));
    for hidden in ["out of stock", "connection refused", "/act/"] {
        assert!(!page.contains(hidden), "{hidden}");
    }
    let filtered = text(&reader.get("/dead?error=status%25").await);
    assert!(filtered.contains("Errors are hidden from readers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_filters_are_explained() {
    let site = Site::new().await;
    run(&site, WORLD.to_owned()).await;
    let operator = site.visitor("mira", &site.operator).await;
    for (path, expected) in [
        ("/dead?after=yesterday", "is not a time"),
        ("/dead?before=2026-02-30", "is not a time"),
        ("/dead?error=a%5C", "ends in a backslash"),
        ("/dead?handler=%00", "the character NUL"),
        ("/dead?cursor=x&page=9", "175 dead letters"),
        ("/dead?cursor=99999999999999999999.1", "175 dead letters"),
    ] {
        let answer = operator.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(text(&answer).contains(expected), "{path}");
    }
}

//! The pages of sources and of the quarantine.

use super::{Site, run, text};

const QUARANTINE: &str = r#"
INSERT INTO hookfast_data.quarantine (source_id, digest, reason, topic, headers, body)
    SELECT s.id, sha256(convert_to(n::text, 'UTF8')), CASE WHEN n = 1 THEN 'stale_signature' ELSE 'wrong_signature' END,
    '<i>topic', jsonb_build_object('content-type', 'application/json', 'x-canary', 'CANARY' || chr(8238) || '<b>'),
    convert_to('{"a": "CANARY<script>", "n": 1e400}', 'UTF8')
    FROM hookfast_data.sources s, generate_series(1, 120) n WHERE s.name = 'airalo';
INSERT INTO hookfast_data.rollups (minute, subject, counter, value)
    SELECT date_trunc('minute', now()), 'source:airalo', c, 7 FROM unnest('{stored,duplicate,wrong_signature}'::text[]) c;
"#;

async fn site() -> Site {
    let site = Site::new().await;
    run(&site, QUARANTINE.to_owned()).await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_no_body_and_operators_see_it_escaped() {
    let site = site().await;
    let id = site
        .text("(SELECT min(quarantine_id) FROM hookfast.quarantine)")
        .await;
    let reader = site.visitor("ada", &site.reader).await;
    let operator = site.visitor("cy", &site.operator).await;
    let address = format!("/quarantine/{id}");

    let page = text(&reader.get(&address).await);
    assert!(
        !page.contains("CANARY") && page.contains("hidden"),
        "{page}"
    );
    assert!(!page.contains("/act/"), "{page}");
    assert_eq!(reader.get(&format!("{address}/body")).await.status, 404);

    for shape in ["", "?body=raw", "?body=hex"] {
        let page = text(&operator.get(&format!("{address}{shape}")).await);
        assert!(
            !page.contains("<script>") && !page.contains("<i>topic"),
            "{page}"
        );
        assert!(
            !page.contains('\u{202e}') && page.contains("U+202E"),
            "{page}"
        );
        assert!(
            page.contains(&format!("/act/approve_quarantined?quarantine_id={id}")),
            "{page}"
        );
        assert!(
            page.contains("/act/reverify_quarantined?source=airalo"),
            "{page}"
        );
        assert!(
            page.contains("/act/discard_quarantined?source=airalo&#38;reason=stale_signature"),
            "{page}"
        );
    }
    let formatted = text(&operator.get(&address).await);
    assert!(formatted.contains("1e400"), "{formatted}");
    let body = operator.get(&format!("{address}/body")).await;
    assert_eq!(body.body, br#"{"a": "CANARY<script>", "n": 1e400}"#);
    assert!(
        body.header("content-disposition")
            .is_some_and(|how| how.starts_with("attachment"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_has_its_hours_and_pages_of_its_quarantine() {
    let site = site().await;
    let reader = site.visitor("ada", &site.reader).await;
    let list = text(&reader.get("/sources").await);
    assert!(list.contains("7 wrong signature"), "{list}");

    let mut address = Some("/sources/airalo?reason=wrong_signature".to_owned());
    let mut requests = Vec::new();
    while let Some(page) = address {
        let page = text(&reader.get(&page).await);
        assert!(page.contains("stored <b>7</b>"), "{page}");
        let links = page.split("href=\"/quarantine/").skip(1);
        requests.extend(links.filter_map(|link| link.split_once('"')?.0.parse::<i64>().ok()));
        address = page
            .split_once("\" rel=\"next\"")
            .and_then(|(before, _)| before.rsplit_once("href=\""))
            .map(|(_, next)| next.replace("&#38;", "&").replace("#quarantine", ""));
        assert!(requests.len() < 1000, "the pages do not end");
    }
    let all = requests.len();
    requests.dedup();
    assert!(requests.is_sorted_by(|a, b| a > b));
    assert_eq!((all, requests.len()), (119, 119));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_proof_counts_the_events_of_reverified_requests() {
    let site = site().await;
    let operator = site.visitor("cy", &site.operator).await;
    let fields = [
        ("source", "airalo"),
        ("why", "a new secret"),
        ("at_most", "200"),
        ("typed", "200"),
    ];
    let answer = operator.post("/act/reverify_quarantined", &fields).await;
    assert_eq!(answer.status, 303, "{}", text(&answer));
    let proof = answer.header("location").expect("a page").to_owned();
    let before = text(&operator.get(&proof).await);
    assert!(
        before.contains("to be verified again") && before.contains("pending"),
        "{before}"
    );
    // What a process does with two of them, and with the rest.
    run(
        &site,
        "INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body) \
            SELECT hookfast_data.new_event_id(), s.id, 1, 'airalo.order.completed', 'quarantine', n::text, '{}', '{}' \
            FROM hookfast_data.sources s, generate_series(1, 2) n WHERE s.name = 'airalo'; \
         UPDATE hookfast_data.quarantine SET requested_action = NULL, requested_by = NULL, last_result = 'wrong_signature'"
            .to_owned(),
    )
    .await;
    let after = text(&operator.get(&proof).await);
    assert!(after.contains("2 requests became events since"), "{after}");
    assert!(
        after.contains("verified again.") && !after.contains("to be verified"),
        "{after}"
    );
    assert!(
        after.contains("/events?source=airalo&#38;origin=quarantine&#38;after="),
        "{after}"
    );
}

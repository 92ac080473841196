//! Conflicts in the lists of events, and their acknowledgement one by one and all at once.

use super::{Site, Visitor, hidden, run, text};

/// A source with an event and conflicts with it, numbered from 1; returns the ids of the conflicts.
async fn conflicts(site: &Site, source: &str, count: u32) -> Vec<String> {
    run(
        site,
        format!(
            "INSERT INTO hookfast_data.sources (name, kind) VALUES ('{source}', 'hmac') ON CONFLICT DO NOTHING; \
             WITH first AS ( \
                INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body) \
                SELECT hookfast_data.new_event_id(), s.id, 1, '{source}.paid', 'webhook', 'k', '{{}}', '{{}}' \
                FROM hookfast_data.sources s WHERE s.name = '{source}' RETURNING id, source_id) \
             INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, conflicts_with, headers, body) \
             SELECT overlay(gen_random_uuid()::text PLACING left(hookfast_data.event_id_at(now() - interval '1 minute' + n * interval '1 millisecond')::text, 13) FROM 1)::uuid, \
                f.source_id, 1, '{source}.paid.conflict', 'webhook', 'k#conflict:' || n, f.id, '{{}}', '{{}}' \
             FROM first f, generate_series(1, {count}) n"
        ),
    )
    .await;
    let ids = format!(
        "(SELECT string_agg(event_id::text, ' ' ORDER BY event_id) FROM hookfast.conflicts WHERE source = '{source}')"
    );
    let ids = site.text(&ids).await;
    ids.split(' ').map(str::to_owned).collect()
}

async fn page(visitor: &Visitor<'_>, path: &str) -> String {
    let answer = visitor.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.head);
    text(&answer)
}

/// Posts an act and returns the page of proof.
async fn act(visitor: &Visitor<'_>, function: &str, fields: &[(&str, &str)]) -> String {
    let answer = visitor.post(&format!("/act/{function}"), fields).await;
    assert_eq!(answer.status, 303, "{function}: {}", text(&answer));
    page(visitor, answer.header("location").expect("a page")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_listed_conflicts_are_acknowledged_with_one_act() {
    let site = Site::new().await;
    let ids = conflicts(&site, "paywise", 3).await;
    conflicts(&site, "acme", 1).await;
    let operator = site.visitor("mira", &site.operator).await;
    let list = "/events?conflicts=only&source=paywise&window=7d";
    let address = "/act/acknowledge_conflicts?source=paywise&received_after=7d";
    let link = format!(
        "href=\"{}\">Acknowledge 3 conflicts",
        address.replace('&', "&#38;")
    );
    assert!(page(&operator, list).await.contains(&link), "{link}");
    // Without the filter the list has other events too, and no act has a filter for payloads.
    for other in [
        "/events?source=paywise",
        "/events?conflicts=only&payload=$.x==1",
        "/events?conflicts=only&origin=webhook",
    ] {
        let shown = page(&operator, other).await;
        assert!(!shown.contains("/act/acknowledge_conflicts"), "{other}");
    }
    let reader = site.visitor("rosa", &site.reader).await;
    assert!(
        !page(&reader, list)
            .await
            .contains("/act/acknowledge_conflicts")
    );

    let preview = page(&operator, address).await;
    assert!(
        ids.iter().all(|id| preview.contains(id.as_str())),
        "{preview}"
    );
    let field = |name| hidden(&preview, name).expect(name);
    assert_eq!(field("at_most"), "3");
    let back = "/events?conflicts=only&#38;source=paywise&#38;after=";
    assert!(preview.contains(back), "{preview}");
    // One that arrives now was not in the preview.
    let later = "INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, conflicts_with, headers, body) \
        SELECT hookfast_data.new_event_id(), s.id, 1, 'paywise.paid.conflict', 'webhook', 'k#conflict:9', gen_random_uuid(), '{}', '{}' \
        FROM hookfast_data.sources s WHERE s.name = 'paywise'";
    run(&site, later.to_owned()).await;
    let fields = [
        ("source", "paywise"),
        ("received_after", &field("received_after")),
        ("until", &field("until")),
        ("at_most", "3"),
        ("form", &field("form")),
        ("why", "only the timestamps differ"),
    ];
    let done = act(&operator, "acknowledge_conflicts", &fields).await;
    assert!(done.contains("3 conflicts acknowledged."), "{done}");
    assert!(done.contains("1 conflict of paywise is left."), "{done}");
    let left = "(SELECT string_agg(source || ' ' || idempotency_key, ', ' ORDER BY source) FROM hookfast.conflicts WHERE acknowledged_at IS NULL)";
    assert_eq!(
        site.text(left).await,
        "acme k#conflict:1, paywise k#conflict:9"
    );
    let by = "(SELECT DISTINCT acknowledged_by FROM hookfast.conflicts WHERE acknowledged_at IS NOT NULL)";
    assert!(site.text(by).await.starts_with("mira"));

    // With the old preview, no more than its number is acknowledged.
    let again = [("at_most", "1"), ("why", "the rest")];
    let answer = operator.post("/act/acknowledge_conflicts", &again).await;
    assert_eq!(answer.status, 409);
    assert!(text(&answer).contains("More match than the preview showed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_hundred_conflicts_need_their_number() {
    let site = Site::new().await;
    conflicts(&site, "paywise", 101).await;
    let operator = site.visitor("mira", &site.operator).await;
    let fields = [("at_most", "101"), ("why", "a broken clock")];
    let answer = operator.post("/act/acknowledge_conflicts", &fields).await;
    assert_eq!(answer.status, 422);
    let typed = [&fields[..], &[("typed", "101")]].concat();
    let done = act(&operator, "acknowledge_conflicts", &typed).await;
    assert!(done.contains("101 conflicts acknowledged."), "{done}");
    assert!(done.contains("No conflict is left."), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_one_acknowledgement_the_next_conflict_is_linked() {
    let site = Site::new().await;
    let ids = conflicts(&site, "paywise", 3).await;
    conflicts(&site, "acme", 1).await;
    let operator = site.visitor("mira", &site.operator).await;
    let acknowledge = async |id: &str| {
        let fields = [("event_id", id), ("why", "refund requested")];
        act(&operator, "acknowledge_conflict", &fields).await
    };
    let done = acknowledge(&ids[2]).await;
    assert!(done.contains("2 conflicts of paywise are left."), "{done}");
    let next = format!("href=\"/events/{}\">Next conflict", ids[1]);
    assert!(done.contains(&next), "{done}");
    let all = "href=\"/act/acknowledge_conflicts?source=paywise\">Acknowledge 2 conflicts";
    assert!(done.contains(all), "{done}");
    let done = acknowledge(&ids[1]).await;
    assert!(done.contains("1 conflict of paywise is left."), "{done}");
    let done = acknowledge(&ids[0]).await;
    assert!(done.contains("No conflict of paywise is left."), "{done}");
    assert!(!done.contains("Next conflict"), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_conflicts_have_a_quiet_mark_in_lists() {
    let site = Site::new().await;
    let ids = conflicts(&site, "paywise", 2).await;
    run(
        &site,
        format!(
            "SELECT hookfast.acknowledge_conflict('{}', 'a test'); \
             INSERT INTO hookfast_data.search_terms (term, event_id) SELECT 'both', event_id FROM hookfast.events WHERE source = 'paywise'",
            ids[0]
        ),
    )
    .await;
    for (name, role) in [("mira", &site.operator), ("rosa", &site.reader)] {
        let visitor = site.visitor(name, role).await;
        for list in ["/events", "/events?conflicts=only", "/find?q=both"] {
            let shown = page(&visitor, list).await;
            let marks = |mark: &str| shown.matches(mark).count();
            assert_eq!(
                marks("<span class=\"state none\">acknowledged</span>"),
                1,
                "{name} {list}"
            );
            assert_eq!(
                marks("<span class=\"state critical\">conflict</span>"),
                1,
                "{name} {list}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_after_an_act_shows_what_it_changed() {
    let site = Site::new().await;
    conflicts(&site, "own", 2).await;
    let operator = site.visitor("mira", &site.operator).await;
    let reported = "2 conflicts in the last seven days";
    assert!(page(&operator, "/").await.contains(reported));
    let done = act(
        &operator,
        "acknowledge_conflicts",
        &[("source", "own"), ("why", "a test"), ("at_most", "2")],
    )
    .await;
    assert!(done.contains("2 conflicts acknowledged"), "{done}");
    // What Now shows is kept for some seconds, but not beyond an act.
    assert!(!page(&operator, "/").await.contains(reported));
}

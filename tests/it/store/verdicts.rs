//! Stored, duplicate or conflict: in one group, across groups, and after the expiry of a key.

use super::{Store, verdicts};
use hookfast::internals::domain::Origin::Webhook;
use hookfast::internals::store::Role;
use std::time::Duration;

#[tokio::test]
async fn in_one_group_each_request_gets_its_own_verdict() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    let group = [
        store.event("k", Some("a")),
        store.event("other", None),
        store.event("k", Some("b")),
        store.event("k", Some("a")),
        store.event("k", Some("b")),
        store.event("k", Some("c")),
        store.event("k", None),
    ];
    let answers = ingest.ingest(&group, Webhook).await;
    assert_eq!(
        verdicts(&answers),
        [
            "stored",
            "stored",
            "conflict",
            "duplicate",
            "duplicate",
            "conflict",
            "duplicate"
        ]
    );
    let ids: Vec<_> = answers
        .iter()
        .map(|answer| answer.expect("answered").event_id)
        .collect();
    assert_eq!(ids[0], group[0].id);
    assert_eq!(
        (ids[3], ids[6]),
        (ids[0], ids[0]),
        "a duplicate returns the first event"
    );
    assert_eq!(ids[4], ids[2], "also a duplicate of a conflict");
    // The same again, in another order and another group.
    let again = [
        store.event("k", Some("c")),
        store.event("k", Some("a")),
        store.event("k", Some("d")),
    ];
    let answers = ingest.ingest(&again, Webhook).await;
    assert_eq!(verdicts(&answers), ["duplicate", "duplicate", "conflict"]);
    assert_eq!(answers[0].expect("answered").event_id, ids[5]);

    let events = "SELECT string_agg(idempotency_key || '=' || type || CASE WHEN conflicts_with IS NULL THEN '' ELSE '!' END, ' ' ORDER BY idempotency_key) FROM hookfast.events";
    assert_eq!(
        store.text(events).await,
        "k=airalo.order.completed k#conflict:b=airalo.order.completed.conflict! k#conflict:c=airalo.order.completed.conflict! \
         k#conflict:d=airalo.order.completed.conflict! other=airalo.order.completed"
    );
    let pending =
        "SELECT count(*) FROM hookfast_data.outbox o JOIN hookfast.events USING (event_id)";
    assert_eq!(
        store.count(pending).await,
        5,
        "each event, including a conflict, has a delivery to the handler"
    );
    let first = "SELECT count(*) FROM hookfast.events c JOIN hookfast.events f ON f.event_id = c.conflicts_with AND f.idempotency_key = 'k'";
    assert_eq!(store.count(first).await, 3);
}

#[tokio::test]
async fn a_key_whose_window_has_passed_is_used_again() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    let windowed = |fingerprint| {
        let mut event = store.event("low_data", fingerprint);
        event.window = Some(Duration::from_secs(6 * 3600));
        event
    };
    let first = ingest.ingest(&[windowed(Some("a"))], Webhook).await[0].expect("stored");
    assert_eq!(
        verdicts(
            &ingest
                .ingest(&[windowed(Some("a")), windowed(Some("b"))], Webhook)
                .await
        ),
        ["duplicate", "conflict"]
    );
    store.execute("UPDATE hookfast_data.idempotency_keys SET expires_at = clock_timestamp() - interval '1 ms'").await;
    let answers = ingest
        .ingest(&[windowed(Some("b")), windowed(Some("b"))], Webhook)
        .await;
    assert_eq!(verdicts(&answers), ["stored", "duplicate"]);
    assert_ne!(answers[0].expect("stored").event_id, first.event_id);
    assert_eq!(store.count("SELECT count(*) FROM hookfast_data.idempotency_keys WHERE fingerprint = 'b' AND expires_at > now() + interval '5 hours'").await, 1);
}

#[tokio::test]
async fn without_a_fingerprint_on_either_side_a_repeat_is_a_duplicate() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    for (key, first, second) in [
        ("a", None, None),
        ("b", None, Some("x")),
        ("c", Some("x"), None),
    ] {
        assert_eq!(
            verdicts(&ingest.ingest(&[store.event(key, first)], Webhook).await),
            ["stored"]
        );
        assert_eq!(
            verdicts(&ingest.ingest(&[store.event(key, second)], Webhook).await),
            ["duplicate"],
            "{key}"
        );
    }
    // One without a fingerprint does not replace the first one's: another result is still a
    // conflict.
    assert_eq!(
        verdicts(&ingest.ingest(&[store.event("c", Some("y"))], Webhook).await),
        ["conflict"]
    );
}

#[tokio::test]
async fn a_conflicts_window_is_its_own() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    let windowed = |fingerprint| {
        let mut event = store.event("k", Some(fingerprint));
        event.window = Some(Duration::from_secs(3600));
        event
    };
    assert_eq!(
        verdicts(
            &ingest
                .ingest(&[windowed("a"), windowed("b")], Webhook)
                .await
        ),
        ["stored", "conflict"]
    );
    store
        .execute(
            "UPDATE hookfast_data.idempotency_keys SET expires_at = now() - interval '1 s' WHERE key = 'k#conflict:b'",
        )
        .await;
    let again = ingest
        .ingest(&[windowed("b"), windowed("b")], Webhook)
        .await;
    assert_eq!(
        verdicts(&again),
        ["conflict", "duplicate"],
        "a new event, of the same first one"
    );
    assert_eq!(
        again[0].expect("stored").event_id,
        again[1].expect("stored").event_id
    );
    let first = "SELECT count(DISTINCT conflicts_with) FROM hookfast.events WHERE conflicts_with IS NOT NULL";
    assert_eq!(store.count(first).await, 1);
    assert_eq!(store.count("SELECT count(*) FROM hookfast.events").await, 3);
}

#[tokio::test]
async fn the_same_key_of_two_sources_is_two_events() {
    let store = Store::new().await;
    store
        .execute("INSERT INTO hookfast_data.sources (name, kind) VALUES ('other', 'airalo')")
        .await;
    let mut theirs = store.event("k", Some("b"));
    theirs.source = hookfast::internals::store::SourceId(store.source.0 + 1);
    let mut ingest = store.connection(Role::Ingest).await;
    assert_eq!(
        verdicts(
            &ingest
                .ingest(&[store.event("k", Some("a")), theirs], Webhook)
                .await
        ),
        ["stored", "stored"]
    );
    assert_eq!(
        store
            .text("SELECT string_agg(source, ' ' ORDER BY source) FROM hookfast.events")
            .await,
        "airalo other"
    );
}

#[tokio::test]
async fn subscriptions_are_by_pattern_and_source() {
    let store = Store::new().await;
    store.execute(
        "DELETE FROM hookfast_data.handlers; \
         INSERT INTO hookfast_data.sources (name, kind) VALUES ('other', 'airalo'); \
         INSERT INTO hookfast_data.handlers (name, kind, types, sources, max_attempts, registered_version) VALUES \
            ('exact', 'rust', '{airalo.order.completed}', NULL, 3, 1), ('prefix', 'rust', '{x.*,airalo.order.*}', NULL, 3, 1), \
            ('itself', 'rust', '{airalo.order.completed.*}', NULL, 3, 1), ('underscore', 'rust', '{airalo_order.*}', NULL, 3, 1), \
            ('mine', 'rust', '{*}', '{airalo}', 3, 1), ('theirs', 'rust', '{*}', '{other}', 3, 1)",
    )
    .await;
    let mut ingest = store.connection(Role::Ingest).await;
    assert!(ingest.ingest(&[store.event("k", None)], Webhook).await[0].is_ok());
    let handlers = "SELECT string_agg(handler, ' ' ORDER BY handler) FROM hookfast.deliveries";
    assert_eq!(store.text(handlers).await, "exact mine prefix");
}

/// Whatever type another source gives its events.
#[tokio::test]
async fn a_handler_of_kind_airalo_gets_events_of_airalo_sources_only() {
    let store = Store::new().await;
    store
        .execute(
            "DELETE FROM hookfast_data.handlers; \
             INSERT INTO hookfast_data.sources (name, kind) VALUES ('acme', 'standard_webhooks'), ('own', 'sql'); \
             INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version) VALUES \
                ('projection', 'airalo', '{airalo.*}', 3, 1), ('every', 'airalo', '{*}', 3, 1), ('shop', 'http', '{airalo.*,own.*}', 3, 1)",
        )
        .await;
    let mut forged = store.event("forged", None);
    forged.source = hookfast::internals::store::SourceId(store.source.0 + 1);
    let mut ingest = store.connection(Role::Ingest).await;
    assert_eq!(
        verdicts(
            &ingest
                .ingest(&[store.event("k", None), forged], Webhook)
                .await
        ),
        ["stored", "stored"]
    );
    store
        .execute("SELECT hookfast.enqueue('own', 'own.paid', '{}')")
        .await;
    let deliveries = "SELECT string_agg(e.source || ' ' || d.handler, ', ' ORDER BY e.source, d.handler) FROM hookfast.deliveries d JOIN hookfast.events e USING (event_id)";
    assert_eq!(
        store.text(deliveries).await,
        "acme shop, airalo every, airalo projection, airalo shop, own shop"
    );
    let explained = "SELECT x.verdict || ': ' || x.message FROM hookfast.events e, hookfast.explain(e.event_id) x WHERE e.source = 'acme' AND x.handler = 'projection'";
    assert_eq!(
        store.text(explained).await,
        "not subscribed: it subscribes to airalo.* of sources of kind airalo"
    );
}

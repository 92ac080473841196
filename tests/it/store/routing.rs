//! Routing: `subscribes` is the rule, and the statement that stores webhooks has it written out,
//! because the planner needs it there.

use super::{Store, registration};
use hookfast::internals::domain::{Origin::Webhook, PayloadFields};
use hookfast::internals::store::{
    HandlerRegistration, NewEvent, Role, SourceRegistration, register_handlers, register_sources,
};

const TYPES: [&str; 6] = [
    "airalo",
    "airalo.order",
    "airalo.order.completed",
    "airalo.low_data",
    "airalox.order",
    "shop.airalo.order",
];
const PATTERNS: [&[&str]; 7] = [
    &["*"],
    &["airalo.*"],
    &["airalo.order.*"],
    &["airalo.order"],
    &["shop.*", "airalo"],
    &["hookfast.*"],
    &["nothing"],
];
const DELIVERED: &str = "SELECT coalesce(string_agg(concat_ws(' ', h.name, s.name, e.type), ', ' \
        ORDER BY h.name, s.name, e.type), '') \
    FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id \
    JOIN hookfast_data.events e ON e.id = o.event_id \
    JOIN hookfast_data.sources s ON s.id = e.source_id";
const SUBSCRIBED: &str = "SELECT coalesce(string_agg(concat_ws(' ', h.name, s.name, e.type), ', ' \
        ORDER BY h.name, s.name, e.type), '') \
    FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id \
    JOIN hookfast_data.handlers h ON h.retired_at IS NULL \
        AND hookfast_data.subscribes(h.types, h.sources, s.name, e.type) \
        AND (h.kind <> 'airalo' OR s.kind = 'airalo')";

#[tokio::test]
async fn ingest_routes_by_the_rule_of_subscribes() {
    let store = Store::new().await;
    let registered =
        [("airalo", "airalo"), ("other", "hmac")].map(|(name, kind)| SourceRegistration {
            name: name.parse().expect("a name"),
            kind,
            fields: PayloadFields::default(),
        });
    let sources = register_sources(&store.pool, &registered)
        .await
        .expect("registered");
    let mut handlers = Vec::new();
    for (n, types) in PATTERNS.iter().enumerate() {
        for (from, names) in [
            ("all", None),
            ("airalo", Some(vec!["airalo"])),
            ("both", Some(vec!["airalo", "other"])),
            ("alerts", Some(vec!["hookfast"])),
        ] {
            for kind in ["rust", "airalo"] {
                let sources = names.as_ref().map(|names| {
                    let names = names.iter();
                    names.map(|name| name.parse().expect("a name")).collect()
                });
                handlers.push(HandlerRegistration {
                    kind,
                    sources,
                    ..registration(&format!("{kind}-{from}-{n}"), types)
                });
            }
        }
    }
    register_handlers(&store.pool, &handlers, 0)
        .await
        .expect("registered");
    store
        .execute("SELECT hookfast.retire_handler('rust-all-1', 'renamed', 'keep', at_most => 0)")
        .await;

    let mut events = Vec::new();
    for source in sources.values() {
        for event_type in TYPES {
            events.push(NewEvent {
                source: *source,
                event_type: event_type.parse().expect("a type"),
                ..store.event(event_type, None)
            });
        }
    }
    let stored = store
        .connection(Role::Ingest)
        .await
        .ingest(&events, Webhook)
        .await;
    assert!(stored.iter().all(Result::is_ok));

    let subscribed = store.text(SUBSCRIBED).await;
    assert!(subscribed.contains("rust-both-2 other airalo.order.completed"));
    assert!(!subscribed.contains("rust-all-1 "), "it is retired");
    assert_eq!(store.text(DELIVERED).await, subscribed);
}

//! Old data is purged by the day, data that is still needed stays, and nothing waits.

mod classes;
mod copying;
mod days;
mod in_use;
mod retired;

use crate::support::world::{Handler, Source, World};
use hookfast::internals::store::{PurgeReport, Role, purge_expired};
use std::ops::Deref;

/// A database with a source, a handler, and a history of old days.
struct Old(World);

impl Deref for Old {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

/// What one round purged.
fn purged(days: usize, days_with_survivors: usize) -> PurgeReport {
    PurgeReport {
        days,
        days_with_survivors,
        ..PurgeReport::default()
    }
}

impl Old {
    async fn new() -> Self {
        let airalo = Source {
            search_fields: "{term}",
            ..Source::new("airalo", "airalo")
        };
        let shop = Handler::new("shop", "rust", "{airalo.*}");
        Self(
            World::builder()
                .sources([airalo])
                .handlers([shop])
                .build()
                .await,
        )
    }

    /// A day in the past, with a number of delivered events; their keys are `d{ago}-{n}`.
    async fn day(&self, ago: u32, events: u32) {
        for table in ["events", "attempts", "search_terms"] {
            self.execute(&format!(
                "DO $$ DECLARE day date := (now() AT TIME ZONE 'UTC')::date - {ago}; BEGIN \
                    EXECUTE format('CREATE TABLE hookfast_data.%I (LIKE hookfast_data.{table} INCLUDING ALL)', '{table}_' || to_char(day, 'YYYYMMDD')); \
                    EXECUTE format('ALTER TABLE hookfast_data.{table} ATTACH PARTITION hookfast_data.%I FOR VALUES FROM (%L) TO (%L)', \
                        '{table}_' || to_char(day, 'YYYYMMDD'), hookfast_data.event_id_at(day::timestamp AT TIME ZONE 'UTC'), \
                        hookfast_data.event_id_at((day + 1)::timestamp AT TIME ZONE 'UTC')); END $$"
            ))
            .await;
        }
        self.execute(&format!(
            "WITH made AS ( \
                INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body) \
                SELECT overlay(gen_random_uuid()::text PLACING left(hookfast_data.event_id_at(((now() AT TIME ZONE 'UTC')::date - {ago} + interval '6 hours' + n * interval '1 second') AT TIME ZONE 'UTC')::text, 13) FROM 1)::uuid, \
                    s.id, 0, 'airalo.order.completed', 'webhook', 'd{ago}-' || n, '{{}}', convert_to('{{\"term\": \"term-d{ago}-' || n || '\"}}', 'UTF8') \
                FROM hookfast_data.sources s, generate_series(1, {events}) n WHERE s.name = 'airalo' RETURNING id, idempotency_key, source_id), \
            keys AS (INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) SELECT source_id, idempotency_key, id FROM made), \
            terms AS (INSERT INTO hookfast_data.search_terms SELECT 'term-' || idempotency_key, id FROM made) \
            INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome) \
            SELECT m.id, (random() * 1e15)::bigint, 1, h.id, 'delivered' FROM made m, hookfast_data.handlers h WHERE h.name = 'shop'"
        ))
        .await;
    }

    /// As if everything had been announced two days ago.
    async fn announced(&self) {
        self.execute(
            "UPDATE hookfast_data.retention SET announced_at = now() - interval '2 days', announced_keep = keep",
        )
        .await;
    }

    async fn round(&self) -> PurgeReport {
        purge_expired(&self.of, || false).await.expect("a round")
    }

    /// The keys of the stored events that are older than yesterday.
    async fn keys(&self) -> String {
        self.text(
            "SELECT coalesce(string_agg(idempotency_key, ' ' ORDER BY idempotency_key), 'none') FROM hookfast_data.events \
                WHERE origin = 'webhook' AND id < hookfast_data.event_id_at(now() - interval '2 days')",
        )
        .await
    }

    async fn days(&self) -> String {
        self.text(
            "SELECT coalesce(string_agg(c.relname::text, ' ' ORDER BY c.relname), 'none') FROM pg_class c \
                WHERE c.relnamespace = 'hookfast_data'::regnamespace AND c.relkind = 'r' AND c.relname ~ '_[0-9]{8}$' \
                    AND to_date(right(c.relname, 8), 'YYYYMMDD') < current_date - 2",
        )
        .await
    }

    /// The statement of an ingress, which must not wait for anything here.
    async fn ingest_is_not_blocked(&self) {
        let mut ingest = self.of.connect(Role::Ingest).await.expect("a connection");
        let clock = hookfast::internals::store::DatabaseClock::default();
        let mut connection = self.of.connect(Role::General).await.expect("a connection");
        clock.measure(&mut connection).await.expect("the time");
        let source: i16 =
            sqlx::query_scalar("SELECT id FROM hookfast_data.sources WHERE name = 'airalo'")
                .fetch_one(&self.pool)
                .await
                .expect("a source");
        let event = hookfast::internals::store::NewEvent {
            id: clock.event_id().expect("the time is known"),
            source: hookfast::internals::store::SourceId(source),
            key: hookfast::internals::domain::IdempotencyKey::new("of today"),
            alias: None,
            fingerprint: None,
            window: None,
            event_type: "airalo.order.completed".parse().expect("a type"),
            topic: None,
            verified_by: None,
            headers: "{}".to_owned(),
            body: bytes::Bytes::from_static(b"{}"),
        };
        // Its own lock timeout is a second: a wait would be an error.
        let stored = ingest
            .ingest(&[event], hookfast::internals::domain::Origin::Webhook)
            .await;
        assert!(stored[0].is_ok(), "{stored:?}");
    }
}

//! Queries, erasures and alerts of operators. Repairs are in `repair`.

mod acknowledging;
mod alerts;
mod callers;
mod erasing;
mod finding;
mod indexing;
mod reindexing;
mod status;

use crate::support::world::{Handler, Source, World};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use std::ops::Deref;

/// A database with a source, two handlers, and the events that a test adds.
struct Story(World);

impl Deref for Story {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

/// SQL helpers of a test's database, which add events some minutes in the past. Orders are
/// numbered; delivery n of order n is 1000 + n.
pub(crate) const HELPERS: &str = r#"
CREATE FUNCTION public.order_arrived(n integer, quantity integer DEFAULT 1, minutes_ago integer DEFAULT 10) RETURNS uuid LANGUAGE sql AS $$
    WITH made AS (
        INSERT INTO hookfast_data.events (id, source_id, subscription_version, received_at, type, origin, idempotency_key, headers, body)
        SELECT overlay(gen_random_uuid()::text PLACING left(hookfast_data.event_id_at(now() - interval '1 minute' * minutes_ago + interval '1 millisecond' * n)::text, 13) FROM 1)::uuid,
            s.id, 1, now() - interval '1 minute' * minutes_ago, 'airalo.order.completed', 'webhook', 'order:request-' || n || ':completed', '{"x-a": "b"}',
            convert_to(format('{"data": {"id": %s, "code": "2026-%s", "quantity": %s, "sims": [{"iccid": "89%s", "lpa": "secret"}]}, "request_id": "request-%s"}', n, n, quantity, lpad(n::text, 17, '0'), n), 'UTF8')
        FROM hookfast_data.sources s WHERE s.name = 'airalo' RETURNING id, source_id, idempotency_key
    )
    INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) SELECT source_id, idempotency_key, id FROM made RETURNING event_id
$$;
CREATE FUNCTION public.event_of(n integer) RETURNS uuid LANGUAGE sql AS $$ SELECT event_id FROM hookfast_data.idempotency_keys WHERE key = 'order:request-' || n || ':completed' $$;
CREATE FUNCTION public.died(n integer, why text DEFAULT 'status 500: oh', handler text DEFAULT 'shop', died_at timestamptz DEFAULT clock_timestamp()) RETURNS void LANGUAGE sql AS $$
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, error, error_kind, status, finished_at) SELECT event_of(n), 1000 + n, 3, h.id, 'dead', why, 'status', 500, died_at FROM hookfast_data.handlers h WHERE h.name = handler;
    INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason, last_error, died_at)
    SELECT 1000 + n, h.id, event_of(n), 3, 1, 'attempts_exhausted', why, died_at FROM hookfast_data.handlers h WHERE h.name = handler
$$;
CREATE FUNCTION public.pending(n integer, due_at timestamptz DEFAULT NULL, handler text DEFAULT 'shop') RETURNS void LANGUAGE sql AS $$
    INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempts_left, due_at) SELECT h.id, 1000 + n, event_of(n), 3, due_at FROM hookfast_data.handlers h WHERE h.name = handler
$$;
CREATE FUNCTION public.delivered(n integer, handler text DEFAULT 'shop') RETURNS void LANGUAGE sql AS $$
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome) SELECT event_of(n), 1000 + n, 1, h.id, 'delivered' FROM hookfast_data.handlers h WHERE h.name = handler
$$;
"#;

impl Story {
    async fn new() -> Self {
        let airalo = Source {
            search_fields: "{code,iccid,id,request_id}",
            secret_fields: "{lpa}",
            ..Source::new("airalo", "airalo")
        };
        let shop = Handler::new("shop", "http", "{airalo.*}");
        let crm = Handler {
            max_attempts: 7,
            ..Handler::new("crm", "http", "{airalo.order.*}")
        };
        let world = World::builder()
            .sources([airalo])
            .handlers([shop, crm])
            .build()
            .await;
        world.execute(HELPERS).await;
        Self(world)
    }

    /// One row, as JSON.
    async fn row(&self, query: &str) -> Value {
        sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT to_jsonb(q) FROM ({query}) q"
        )))
        .fetch_one(&self.pool)
        .await
        .expect(query)
    }

    /// The SQLSTATE with which a statement is rejected. The message says that nothing was changed,
    /// or that there is no such event.
    async fn refused(&self, statement: &str) -> String {
        let error = self.error(statement).await;
        assert!(
            error.message().ends_with("nothing was changed")
                || error.message().contains("no event has the id"),
            "{}",
            error.message()
        );
        error.code().expect("a code").into_owned()
    }
}

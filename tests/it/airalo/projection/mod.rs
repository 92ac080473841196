//! The projection of notifications: the same events give the same rows, in any order and with any
//! repetition.

mod conflicts;
mod repetition;
mod results;

use crate::support::world::{Source, World};
use hookfast::sources::{
    SourceKind,
    airalo::{Airalo, sample},
};
use sqlx::PgConnection;
use std::ops::Deref;

/// Events that the tests project directly, as the `sql` handler does.
struct Projection(World);

impl Deref for Projection {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

/// An event of a story, and its body. A later event has a larger id.
struct Event {
    number: u32,
    body: Vec<u8>,
    conflict: bool,
}

impl Event {
    fn new(number: u32, body: impl Into<Vec<u8>>) -> Self {
        Self {
            number,
            body: body.into(),
            conflict: false,
        }
    }

    fn conflict(number: u32, body: impl Into<Vec<u8>>) -> Self {
        Self {
            number,
            body: body.into(),
            conflict: true,
        }
    }
}

impl Projection {
    async fn new() -> Self {
        let sources = ["airalo", "second"].map(|name| Source::new(name, "airalo"));
        Self(World::builder().sources(sources).build().await)
    }

    async fn bring(&self, event: &Event) {
        self.bring_to("airalo", event).await;
    }

    async fn bring_to(&self, source: &str, event: &Event) {
        self.try_bring(source, event).await.expect("projected");
    }

    async fn try_bring(&self, source: &str, event: &Event) -> Result<(), sqlx::Error> {
        self.try_bring_in(&mut *self.pool.acquire().await?, source, event)
            .await
    }

    async fn try_bring_in(
        &self,
        connection: &mut PgConnection,
        source: &str,
        event: &Event,
    ) -> Result<(), sqlx::Error> {
        let described = Airalo.describe(None, &axum::http::HeaderMap::new(), &event.body);
        let conflict = if event.conflict { ".conflict" } else { "" };
        sqlx::query(
            "SELECT hookfast.airalo_project_event(ROW(lpad(to_hex($1), 8, '0')::text || '-0000-7000-8000-000000000000', $6, $2, NULL, 'webhook', \
                '2026-01-01'::timestamptz + $1 * interval '1 minute', $3, CASE WHEN $4 <> '' THEN gen_random_uuid() END, '{}', \
                hookfast_data.as_jsonb($5), $5, 1, 1)::hookfast.event)",
        )
        .bind(i32::try_from(event.number).expect("small"))
        .bind(format!("{}{conflict}", described.event_type.as_str()))
        .bind(described.identity.key.as_str())
        .bind(conflict)
        .bind(&event.body)
        .bind(source)
        .execute(connection)
        .await
        .map(drop)
    }

    /// The whole projection.
    async fn whole(&self) -> String {
        self.text(
            "SELECT jsonb_build_object(\
                'orders', (SELECT jsonb_agg(to_jsonb(o) ORDER BY o.request_id, o.order_id) FROM hookfast.airalo_orders o), \
                'sims', (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.iccid) FROM hookfast.airalo_sims s), \
                'low', (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.iccid) FROM hookfast.airalo_low_data l), \
                'credit', (SELECT jsonb_agg(to_jsonb(c)) FROM hookfast.airalo_credit c))",
        )
        .await
    }

    async fn empty(&self) {
        self.execute("TRUNCATE hookfast_data.airalo_sims, hookfast_data.airalo_orders, hookfast_data.airalo_low_data, hookfast_data.airalo_credit")
            .await;
    }
}

fn body(name: &str) -> &'static [u8] {
    sample(name).expect(name)
}

//! Each repair function does what it promises, once, and is in the audit log.

mod dead_letters;
mod ordered;
mod pending;
mod replays;
mod retired;

use crate::support::world::{Handler, Source, World};
use hookfast::internals::store::{
    Claim, ClaimLimits, HandlerId, LeaseId, Role, SettleOutcome, Settled, Settlement, Watermarks,
};
use std::{
    ops::Deref,
    time::{Duration, Instant},
};

/// A database with two sources, two unordered handlers (`shop` has three attempts, `mail` five) and
/// two that are ordered by the payload's `key`: `skips` and `holds`, named after what a dead letter
/// does.
struct Desk {
    /// Event `n` arrived `n` milliseconds after this time.
    base: String,
    world: World,
}

impl Deref for Desk {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Desk {
    async fn new() -> Self {
        let handler = |name| Handler::new(name, "rust", "{*}");
        let world = World::builder()
            .sources([Source::new("airalo", "airalo"), Source::new("other", "sql")])
            .handlers([
                handler("shop"),
                Handler {
                    max_attempts: 5,
                    ..handler("mail")
                },
                Handler {
                    ordered_by: Some("{key}"),
                    ..handler("skips")
                },
                Handler {
                    ordered_by: Some("{key}"),
                    on_dead: "block",
                    ..handler("holds")
                },
            ])
            .build()
            .await;
        world
            .execute("ALTER TABLE hookfast_data.outbox ALTER COLUMN id RESTART WITH 1000000")
            .await;
        // Never yesterday, which may have no partition.
        let base = world
            .text("greatest(clock_timestamp() - interval '2 seconds', date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')")
            .await;
        Self { base, world }
    }

    /// When event `n` arrived, as SQL.
    fn at(&self, n: u32) -> String {
        format!("(timestamptz '{}' + interval '{n} ms')", self.base)
    }

    /// The id of event `n`, as SQL.
    fn id(&self, n: u32) -> String {
        format!(
            "(left(hookfast.event_id_at{}::text, 13) || '-7000-8000-' || lpad('{n}', 12, '0'))::uuid",
            self.at(n)
        )
    }

    /// An event of a source, with a type and a payload, without deliveries.
    async fn event(&self, n: u32, source: &str, kind: &str, payload: &str) {
        self.execute(&format!(
            "INSERT INTO hookfast_data.events (id, source_id, subscription_version, received_at, type, origin, idempotency_key, headers, body) \
                SELECT {}, id, 0, {}, '{kind}', 'webhook', 'e{n}', '{{}}', '{payload}' FROM hookfast_data.sources WHERE name = '{source}'",
            self.id(n),
            self.at(n)
        ))
        .await;
    }

    /// Events of one type, whose keys repeat after the given number.
    async fn events(&self, numbers: std::ops::RangeInclusive<u32>, keys: u32) {
        for n in numbers {
            self.event(
                n,
                "airalo",
                "order.done",
                &format!(r#"{{"key": "k{}"}}"#, n % keys),
            )
            .await;
        }
    }

    /// Delivery `n`, of event `n`, has died at its third attempt.
    async fn dead(&self, n: u32, handler: &str, error: &str) {
        self.execute(&format!(
            "INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, ordering_key, reason, last_error) \
                SELECT {n}, h.id, e.id, 3, 0, hookfast_data.ordering_key(e.body, h.ordered_by), 'rejected', '{error}' \
                FROM hookfast_data.handlers h, hookfast_data.events e WHERE h.name = '{handler}' AND e.id = {}; \
             INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, error, error_kind) \
                SELECT event_id, delivery_id, 3, handler_id, 'dead', last_error, CASE WHEN last_error LIKE 'timed out%' THEN 'timeout' ELSE 'handler' END FROM hookfast_data.dead_letters WHERE delivery_id = {n}",
            self.id(n)
        ))
        .await;
    }

    /// Delivery `n`, of event `n`, is new, and has its key if its handler is ordered.
    async fn pending(&self, n: u32, handler: &str) {
        self.execute(&format!(
            "INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempts_left, ordering_key) \
                SELECT h.id, {n}, {}, h.max_attempts, CASE WHEN h.ordered_by IS NOT NULL THEN '' END FROM hookfast_data.handlers h WHERE h.name = '{handler}'; \
             SELECT hookfast_data.assign_ordering_keys(h.id, 1000) FROM hookfast_data.handlers h WHERE h.name = '{handler}'",
            self.id(n)
        ))
        .await;
    }

    /// Gives keys to new deliveries, as workers do after a notification.
    async fn sequence(&self) {
        self.execute(
            "SELECT hookfast_data.assign_ordering_keys(id, 1000) FROM hookfast_data.handlers",
        )
        .await;
    }

    /// The claim of a worker without watermarks.
    async fn claim(&self, handler: &str) -> Vec<Claim> {
        self.claim_from(handler, &mut Watermarks::new(Instant::now()))
            .await
    }

    /// The claim of a worker that has claimed before.
    async fn claim_from(&self, handler: &str, watermarks: &mut Watermarks) -> Vec<Claim> {
        let id = self
            .text(&format!(
                "SELECT id FROM hookfast_data.handlers WHERE name = '{handler}'"
            ))
            .await;
        let id = HandlerId(id.parse().expect("an id"));
        let mut connection = self.of.connect(Role::Lease).await.expect("a connection");
        let lease: LeaseId = connection
            .register_lease("a test", &[id], Duration::from_secs(60))
            .await
            .expect("a lease");
        let mut connection = self.of.connect(Role::Claim).await.expect("a connection");
        let limits = ClaimLimits {
            fresh: 100,
            due: 100,
        };
        let name = handler.parse().expect("a name");
        let batch = connection
            .claim((id, &name), lease, limits, watermarks, None)
            .await
            .expect("a claim");
        batch.claimed.iter().map(|claimed| claimed.claim).collect()
    }

    /// Claims the only delivery that can be claimed.
    async fn claim_one(&self, handler: &str, n: i64) -> Claim {
        let claims = self.claim(handler).await;
        assert_eq!(
            claims
                .iter()
                .map(|claim| claim.delivery.0)
                .collect::<Vec<_>>(),
            [n],
            "one at a time"
        );
        claims[0]
    }

    /// As a worker does: settling a delivery makes the next one of its key due.
    async fn settle(&self, claim: Claim, outcome: SettleOutcome) {
        let settlement = Settlement {
            claim,
            outcome,
            duration: None,
            status: None,
            error_kind: hookfast::internals::domain::ErrorKind::default(),
            error: None,
        };
        let settled = self
            .of
            .connect(Role::Settle)
            .await
            .expect("a connection")
            .settle(&[settlement])
            .await[0];
        assert!(
            matches!(settled, Settled::Done | Settled::Dead),
            "{settled:?}"
        );
        self.execute("SELECT hookfast_data.make_next_due(id, ARRAY(SELECT DISTINCT o.ordering_key FROM hookfast_data.outbox o WHERE o.handler_id = h.id AND o.ordering_key <> '')) FROM hookfast_data.handlers h").await;
    }

    /// Claims and delivers one after the other, in the expected order.
    async fn deliver(&self, handler: &str, expected: &[i64]) {
        for n in expected {
            let claim = self.claim_one(handler, *n).await;
            self.settle(claim, SettleOutcome::Delivered).await;
        }
        assert!(self.claim(handler).await.is_empty(), "nothing else");
    }

    /// Everything that an operator could have changed.
    async fn everything(&self) -> String {
        self.text(
            "SELECT concat_ws(E'\\n', (SELECT string_agg(d::text, ' ' ORDER BY d.delivery_id) FROM hookfast_data.dead_letters d), \
                (SELECT string_agg(o::text, ' ' ORDER BY o.handler_id, o.id) FROM hookfast_data.outbox o), \
                (SELECT string_agg(a::text, ' ' ORDER BY a.delivery_id, a.attempt_number) FROM hookfast_data.attempts a), \
                (SELECT string_agg(r::text, ' ' ORDER BY r.id) FROM hookfast_data.replays r), \
                (SELECT string_agg(h::text, ' ' ORDER BY h.id) FROM hookfast_data.handlers h), \
                (SELECT count(*) FROM hookfast_data.audit_log))",
        )
        .await
    }

    /// The statement is rejected with this SQLSTATE, and changes nothing.
    async fn refuses(&self, state: &str, statement: &str) {
        let before = self.everything().await;
        assert_eq!(self.refused(statement).await, state, "{statement}");
        assert_eq!(
            self.everything().await,
            before,
            "{statement} changed something"
        );
    }

    /// The deliveries with their states.
    async fn states(&self) -> String {
        self.text("SELECT string_agg(delivery_id || ' ' || state, ', ' ORDER BY delivery_id) FROM hookfast.deliveries")
            .await
    }

    /// The last row of the audit log.
    async fn logged(&self) -> String {
        self.text("SELECT concat_ws(' ', action, target, details) FROM hookfast.audit_log WHERE actor = session_user ORDER BY log_id DESC LIMIT 1").await
    }
}

//! The store's statements, against a real Postgres.

mod alerts;
mod aliases;
mod backlog;
mod catalog;
mod claims;
mod comments;
mod epoch;
mod erasing;
mod filter;
mod frozen;
mod indexes;
mod masking;
mod migrations;
mod notifications;
mod partitions;
mod plans;
mod poison;
mod quarantine;
mod races;
mod registry;
mod repair;
mod rescue;
mod retirement;
mod roles;
mod routing;
mod sessions;
mod settle;
mod verdicts;
mod watermarks;

use crate::support::{wait_until, world::World};
use bytes::Bytes;
use hookfast::internals::domain::{
    Fingerprint, HandlerName, IdempotencyKey, Origin, PayloadFields, Receipt, RetryPolicy,
    StorableText,
};
use hookfast::internals::store::{
    Batch, Claim, ClaimLimits, Connection, DatabaseClock, HandlerId, HandlerRegistration,
    IngestError, LeaseId, NewEvent, OutboxSweep, Rescued, Role, SettleOutcome, Settled, Settlement,
    SourceId, SourceRegistration, StoreError, Watermarks, register_handlers, register_sources,
    rescue, worker_leases,
};
use sqlx::{PgConnection, PgPool, Row};
use std::{
    ops::Deref,
    time::{Duration, Instant},
};

/// A database with a source and a handler that subscribes to everything.
struct Store {
    source: SourceId,
    handler: HandlerId,
    name: HandlerName,
    clock: DatabaseClock,
    world: World,
}

impl Deref for Store {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

/// Many attempts, one directly after the other.
fn attempts(max_attempts: u16) -> RetryPolicy {
    RetryPolicy::Exponential {
        base: Duration::ZERO,
        max: Duration::ZERO,
        max_attempts,
    }
}

/// A handler in Rust, with three attempts, for events of every source.
fn registration(name: &str, types: &[&str]) -> HandlerRegistration {
    let types = types
        .iter()
        .map(|pattern| pattern.parse().expect("a pattern"))
        .collect();
    HandlerRegistration {
        name: name.parse().expect("a name"),
        kind: "rust",
        types,
        sources: None,
        retry: attempts(3),
        order: None,
        filter: None,
        behind_after: Duration::from_secs(300),
    }
}

impl Store {
    async fn new() -> Self {
        Self::in_world(World::builder().build().await).await
    }

    /// In an existing database that has the schema and its partitions.
    async fn at(url: &str) -> Self {
        Self::in_world(World::existing(url).await).await
    }

    async fn in_world(world: World) -> Self {
        let name = "airalo".parse().expect("a name");
        let registered = SourceRegistration {
            name,
            kind: "airalo",
            fields: PayloadFields::default(),
        };
        let sources = register_sources(&world.pool, &[registered])
            .await
            .expect("registered");
        let shop = registration("shop", &["*"]);
        let name = shop.name.clone();
        let handlers = register_handlers(&world.pool, &[shop], 0)
            .await
            .expect("registered");
        let clock = DatabaseClock::default();
        clock
            .measure(&mut world.of.connect(Role::General).await.expect("a connection"))
            .await
            .expect("the time");
        let source = *sources.values().next().expect("one");
        Self {
            source,
            handler: handlers[&name],
            name,
            clock,
            world,
        }
    }

    async fn connection(&self, role: Role) -> Connection {
        self.of.connect(role).await.expect("a connection")
    }

    fn event(&self, key: &str, fingerprint: Option<&str>) -> NewEvent {
        NewEvent {
            id: self.clock.event_id().expect("the time is known"),
            source: self.source,
            key: IdempotencyKey::new(key),
            alias: None,
            fingerprint: fingerprint.map(Fingerprint::new),
            window: None,
            event_type: "airalo.order.completed".parse().expect("a type"),
            topic: None,
            verified_by: None,
            headers: "{}".to_owned(),
            body: Bytes::from(format!("{key} {fingerprint:?}")),
        }
    }

    /// Stores orders with their own keys, and returns the number of deliveries.
    async fn fill(&self, prefix: &str, orders: usize) -> usize {
        let mut ingest = self.connection(Role::Ingest).await;
        let events: Vec<_> = (0..orders)
            .map(|i| self.event(&format!("{prefix}-{i:06}"), None))
            .collect();
        for group in events.chunks(400) {
            assert!(
                ingest
                    .ingest(group, Origin::Webhook)
                    .await
                    .iter()
                    .all(Result::is_ok)
            );
        }
        orders
    }

    async fn lease(&self) -> LeaseId {
        let mut connection = self.connection(Role::Lease).await;
        connection
            .register_lease("a test", &[self.handler], Duration::from_secs(60))
            .await
            .expect("a lease")
    }

    async fn claim(
        &self,
        connection: &mut Connection,
        lease: LeaseId,
        most: usize,
        watermarks: &mut Watermarks,
    ) -> Batch {
        let limits = ClaimLimits {
            fresh: most,
            due: most,
        };
        connection
            .claim((self.handler, &self.name), lease, limits, watermarks, None)
            .await
            .expect("a claim")
    }

    /// Claims without a watermark.
    async fn claim_all(&self, lease: LeaseId, most: usize) -> Vec<Claim> {
        let mut connection = self.connection(Role::Claim).await;
        let batch = self
            .claim(
                &mut connection,
                lease,
                most,
                &mut Watermarks::new(Instant::now()),
            )
            .await;
        batch.claimed.iter().map(|claimed| claimed.claim).collect()
    }

    /// The statement of a claim inside an open transaction; returns how many deliveries it took.
    async fn claim_by_hand(&self, connection: &mut PgConnection, lease: LeaseId) -> usize {
        let claim = sqlx::query(include_str!("../../../src/store/sql/claim.sql"));
        let claim = claim
            .bind(lease.0)
            .bind(self.handler.0)
            .bind(0i64)
            .bind(10i64)
            .bind(0i64)
            .bind(10i64);
        let rows = claim.fetch_all(connection).await.expect("a claim");
        rows.iter()
            .filter(|row| row.get::<Option<i64>, _>("id").is_some())
            .count()
    }

    /// Waits until a connection of that name waits for a lock.
    async fn a_session_waits_for_a_lock(&self, application: &str) {
        wait_until(&format!("{application} to wait for a lock"), async || {
            sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name = $1 AND wait_event_type = 'Lock')",
            )
            .bind(application)
            .fetch_one(&self.pool)
            .await
            .expect("an answer")
        })
        .await;
    }

    /// Makes all deliveries with a due time due now, and claims some under a new lease.
    async fn claim_some_due(&self, most: usize) -> Vec<Claim> {
        self.execute(
            "UPDATE hookfast_data.outbox SET due_at = clock_timestamp() WHERE due_at IS NOT NULL",
        )
        .await;
        self.claim_all(self.lease().await, most).await
    }

    async fn settle(&self, claim: Claim, outcome: SettleOutcome) -> Settled {
        self.connection(Role::Settle)
            .await
            .settle(&[settlement(claim, outcome)])
            .await[0]
    }

    /// The text in the first row of a query.
    async fn text(&self, query: &'static str) -> String {
        sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .expect("a text")
    }
}

/// The rescue of a worker that has judged every expired lease to be dead.
async fn rescue_expired(pool: &PgPool) -> Result<Vec<Rescued>, StoreError> {
    let leases = worker_leases(pool).await?;
    let expired: Vec<_> = leases
        .iter()
        .filter(|lease| lease.expired)
        .copied()
        .collect();
    rescue(pool, &expired).await
}

/// One whole sweep.
async fn sweep_orphans(pool: &PgPool) -> Vec<Rescued> {
    let (mut sweep, mut all) = (OutboxSweep::default(), Vec::new());
    loop {
        let (rescued, more) = sweep.step(pool).await.expect("a step");
        all.extend(rescued);
        if !more {
            return all;
        }
    }
}

fn settlement(claim: Claim, outcome: SettleOutcome) -> Settlement {
    Settlement {
        claim,
        outcome,
        duration: None,
        status: None,
        error_kind: hookfast::internals::domain::ErrorKind::default(),
        error: Some(StorableText::new("why", 10)),
    }
}

fn verdict(answer: &Result<Receipt, IngestError>) -> &'static str {
    match answer {
        Ok(receipt) => receipt.verdict.as_str(),
        Err(IngestError::InvalidData) => "refused",
        Err(IngestError::KeyHeld) => "key held",
        Err(IngestError::Lost) => "lost",
    }
}

fn verdicts(answers: &[Result<Receipt, IngestError>]) -> Vec<&'static str> {
    answers.iter().map(verdict).collect()
}

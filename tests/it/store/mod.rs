//! The store's statements, against a real Postgres.

mod floor;
mod partitions;
mod plans;
mod poison;
mod races;
mod settle;
mod verdicts;

use crate::support::postgres::{self, Database};
use bytes::Bytes;
use hookfast::domain::{Fingerprint, HandlerName, IdempotencyKey, Origin, Receipt};
use hookfast::store::{
    Batch, Claim, ClaimLimits, Connection, DatabaseClock, Floors, HandlerId, HandlerRegistration, IngestError, LeaseId,
    NewEvent, Role, SourceId, register_handlers, register_sources,
};
use sqlx::PgPool;
use std::time::{Duration, Instant};

/// A database with a source and a handler that subscribes to everything.
struct Store {
    of: hookfast::store::Database,
    pool: PgPool,
    source: SourceId,
    handler: HandlerId,
    name: HandlerName,
    clock: DatabaseClock,
    // Dropped last.
    _database: Database,
}

impl Store {
    async fn new() -> Self {
        let database = postgres::database().await;
        let of: hookfast::store::Database = database.url().parse().expect("a URL");
        let pool = database.pool().await;
        let name: HandlerName = "shop".parse().expect("a name");
        let registration = HandlerRegistration {
            name: name.clone(),
            kind: "rust",
            types: vec!["*".parse().expect("a pattern")],
            sources: None,
            tries: 3,
        };
        let source = "airalo".parse().expect("a name");
        let sources = register_sources(&pool, &[(source, "airalo")]).await.expect("registered");
        let handlers = register_handlers(&pool, &[registration], 0).await.expect("registered");
        let clock = DatabaseClock::default();
        let mut store = Self {
            source: *sources.values().next().expect("one"),
            handler: handlers[&name],
            of,
            pool,
            name,
            clock,
            _database: database,
        };
        let clock = store.clock.clone();
        clock.measure(&mut store.connect(Role::General).await).await.expect("the time");
        store
    }

    async fn connect(&mut self, role: Role) -> Connection {
        self.of.connect(role).await.expect("a connection")
    }

    async fn connection(&self, role: Role) -> Connection {
        self.of.connect(role).await.expect("a connection")
    }

    fn event(&self, key: &str, fingerprint: Option<&str>) -> NewEvent {
        NewEvent {
            id: self.clock.event_id().expect("the time is known"),
            source: self.source,
            key: IdempotencyKey::new(key),
            fingerprint: fingerprint.map(Fingerprint::new),
            window: None,
            event_type: "airalo.order.completed".parse().expect("a type"),
            topic: None,
            verified_by: None,
            headers: "{}".to_owned(),
            body: Bytes::from(format!("{key} {fingerprint:?}")),
        }
    }

    /// Stores orders with keys of their own, and answers with how many deliveries that makes.
    async fn fill(&self, prefix: &str, orders: usize) -> usize {
        let mut ingest = self.connection(Role::Ingest).await;
        let events: Vec<_> = (0..orders).map(|i| self.event(&format!("{prefix}-{i:06}"), None)).collect();
        for group in events.chunks(400) {
            assert!(ingest.ingest(group, Origin::Webhook).await.iter().all(Result::is_ok));
        }
        orders
    }

    async fn lease(&self) -> LeaseId {
        let mut connection = self.connection(Role::Lease).await;
        connection.register_lease("a test", &[self.handler], Duration::from_secs(60)).await.expect("a lease")
    }

    async fn claim(&self, connection: &mut Connection, lease: LeaseId, most: usize, floors: &mut Floors) -> Batch {
        let limits = ClaimLimits { fresh: most, due: most };
        connection.claim((self.handler, &self.name), lease, limits, floors).await.expect("a claim")
    }

    /// Claims with no floor.
    async fn claim_all(&self, lease: LeaseId, most: usize) -> Vec<Claim> {
        let mut connection = self.connection(Role::Claim).await;
        let batch = self.claim(&mut connection, lease, most, &mut Floors::new(Instant::now())).await;
        batch.claimed.iter().map(|claimed| claimed.claim).collect()
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.expect("a number")
    }

    async fn text(&self, query: &'static str) -> String {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.expect("a text")
    }

    async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.pool).await.expect("a statement");
    }
}

fn verdict(answer: &Result<Receipt, IngestError>) -> &'static str {
    match answer {
        Ok(receipt) => receipt.verdict.as_str(),
        Err(IngestError::Refused) => "refused",
        Err(IngestError::KeyHeld) => "key held",
        Err(IngestError::Lost) => "lost",
    }
}

fn verdicts(answers: &[Result<Receipt, IngestError>]) -> Vec<&'static str> {
    answers.iter().map(verdict).collect()
}

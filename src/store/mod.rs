//! Reads and writes everything that Hookfast keeps in Postgres. The SQL of the engine is in this
//! module only.
//!
//! Each file has one subject. The hot statements are files under `sql/`. Each begins with a comment
//! that names it, so that `pg_stat_statements` is readable. All decisions are made in the
//! statements.

mod airalo;
mod background_jobs;
mod bisect;
mod breaker;
pub mod catalog;
mod claim;
mod clock;
mod connect;
mod console_login;
mod error;
mod filter;
mod function;
mod index_events;
mod indexes;
mod ingest;
mod inspect;
mod lease;
mod literal;
mod locks;
mod migrate;
mod notify;
mod operator;
mod order;
mod owner;
mod partitions;
mod process;
mod public_query;
mod quarantine;
mod registry;
mod rescue;
mod retention;
mod retire;
mod reverify;
mod roles;
mod rollups;
mod rounds;
mod server_process;
mod session;
mod session_settings;
mod settle;
mod sweep;
mod transaction;
mod visitor;
mod watermark;

pub use airalo::{
    DescribedOrder, ExpectedOrder, last_order_described, make_orders_due, order_is_missing,
    order_is_of_request, order_is_sent, order_is_sent_again, order_is_unknown, order_was_placed,
    order_was_refused, orders_of_other_requests, schedule_order_check, take_due_orders,
};
pub use background_jobs::{
    announce_conflicts, announce_dead, fold_counts, newest_alerts, step_replays, watch,
};
pub use breaker::note_breaker;
pub use claim::{Batch, Claim, ClaimLimits, Claimed, LongBody, Truncated, event_body};
pub use clock::{ClockDifference, DatabaseClock};
pub use connect::{Connection, Database, InvalidUrl, Role};
pub use console_login::{ConsoleLogin, console_logins, make_console_login};
pub use error::{Fault, StoreError};
pub use filter::{FilterError, check_filter};
pub use function::{ResolveError, SqlFunction};
pub use index_events::EventIndexer;
pub use indexes::ensure_indexes;
pub use ingest::{IngestError, NewEvent};
pub use inspect::{ConnectionLimits, ForeignObjects, Inspection, inspect};
pub use lease::LeaseId;
pub use migrate::{
    MigrateError, Migrated, Object, ObjectKind, Plan, Planned, Replaced, Schema, check_schema,
    drop_unreleased, migrate, migrate_to, plan, planned,
};
pub use notify::{Channel, Listener, WakeUp};
pub use operator::{OperatorConnection, OperatorError};
pub use order::wake_keys;
pub use partitions::ensure_partitions;
pub use process::{Process, ServedHandler};
pub use public_query::{FunctionCall, SqlArg, ViewQuery};
pub use quarantine::{EvidenceBody, EvidenceBound, NewEvidence};
pub use registry::{
    HandlerId, HandlerRegistration, SourceId, SourceRegistration, pause_gone_handler,
    register_handlers, register_sources, source_ids,
};
pub use rescue::{
    Rescued, WorkerLease, release_unknown, rescue, rescue_pulled, wait_for_claims, worker_leases,
};
pub use retention::{PurgeReport, purge_expired, set_retention};
pub use retire::{discard_retired, retire_handlers, retired_handlers, unconfigured_handlers};
pub use reverify::{Review, ReviewRequest, ReviewResult};
pub use roles::{Roles, ensure_roles};
pub use rollups::add_rollups;
pub(crate) use session::Sessions;
pub use settle::{SettleOutcome, Settled, Settlement};
pub use sweep::{KeySweep, OutboxSweep, live_workers, pulled_handlers};
pub use transaction::SettlingTransaction;
pub use visitor::{AsVisitor, Credential, SecretHash, VisitError, Visitor, Visitors, Work};
pub use watermark::Watermarks;

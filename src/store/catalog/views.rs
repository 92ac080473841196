//! The views of schema `hookfast`, with their columns and their order.

mod airalo;

pub use airalo::{AIRALO_CREDIT, AIRALO_LOW_DATA, AIRALO_ORDERS, AIRALO_SIMS};

use super::{View, column};

/// `hookfast.access`.
pub const ACCESS: View = View {
    name: "access",
    order: "access_id DESC",
    columns: &[
        column("access_id", "bigint"),
        column("person", "text"),
        column("role", "text"),
        column("state", "text"),
        column("issued_at", "timestamp with time zone"),
        column("redeemed_at", "timestamp with time zone"),
        column("seen_at", "timestamp with time zone"),
        column("acts_until", "timestamp with time zone"),
        column("expires_at", "timestamp with time zone"),
        column("ended_at", "timestamp with time zone"),
        column("ended_because", "text"),
    ],
};

/// `hookfast.alerts`.
pub const ALERTS: View = View {
    name: "alerts",
    order: "event_id DESC",
    columns: &[
        column("event_id", "uuid"),
        column("type", "text"),
        column("received_at", "timestamp with time zone"),
        column("message", "text"),
        column("payload", "jsonb"),
        column("is_open", "boolean"),
        column("resolved_at", "timestamp with time zone"),
        column("subject", "text"),
        column("muted_at", "timestamp with time zone"),
        column("muted_by", "text"),
        column("muted_why", "text"),
    ],
};

/// `hookfast.attempts`.
pub const ATTEMPTS: View = View {
    name: "attempts",
    order: "attempt_number",
    columns: &[
        column("event_id", "uuid"),
        column("delivery_id", "bigint"),
        column("attempt_number", "integer"),
        column("handler", "text"),
        column("outcome", "text"),
        column("finished_at", "timestamp with time zone"),
        column("duration_ms", "integer"),
        column("status", "smallint"),
        column("error", "text"),
        column("error_kind", "text"),
    ],
};

/// `hookfast.audit_log`.
pub const AUDIT_LOG: View = View {
    name: "audit_log",
    order: "log_id DESC",
    columns: &[
        column("log_id", "bigint"),
        column("at", "timestamp with time zone"),
        column("actor", "text"),
        column("action", "text"),
        column("target", "text"),
        column("details", "jsonb"),
        column("on_behalf_of", "text"),
    ],
};

/// `hookfast.backlog`.
pub const BACKLOG: View = View {
    name: "backlog",
    order: "ready DESC, handler",
    columns: &[
        column("handler", "text"),
        column("ready", "bigint"),
        column("running", "bigint"),
        column("waiting", "bigint"),
        column("later", "bigint"),
        column("due_in_5_minutes", "bigint"),
        column("due_in_30_minutes", "bigint"),
        column("due_in_120_minutes", "bigint"),
        column("oldest_ready_at", "timestamp with time zone"),
        column("oldest_ready_age", "interval"),
        column("per_minute", "numeric"),
        column("served_by", "bigint"),
        column("unserved", "boolean"),
        column("paused", "boolean"),
        column("retired", "bigint"),
    ],
};

/// `hookfast.conflicts`.
pub const CONFLICTS: View = View {
    name: "conflicts",
    order: "event_id DESC",
    columns: &[
        column("event_id", "uuid"),
        column("source", "text"),
        column("type", "text"),
        column("received_at", "timestamp with time zone"),
        column("idempotency_key", "text"),
        column("first_event_id", "uuid"),
        column("first_received_at", "timestamp with time zone"),
        column("payload", "jsonb"),
        column("first_payload", "jsonb"),
        column("acknowledged_at", "timestamp with time zone"),
        column("acknowledged_by", "text"),
    ],
};

/// `hookfast.counts`.
pub const COUNTS: View = View {
    name: "counts",
    order: "minute DESC, kind, name, counter",
    columns: &[
        column("minute", "timestamp with time zone"),
        column("kind", "text"),
        column("name", "text"),
        column("counter", "text"),
        column("value", "bigint"),
    ],
};

/// `hookfast.dead_letters`.
pub const DEAD_LETTERS: View = View {
    name: "dead_letters",
    order: "delivery_id DESC",
    columns: &[
        column("delivery_id", "bigint"),
        column("handler", "text"),
        column("event_id", "uuid"),
        column("attempts", "integer"),
        column("reason", "text"),
        column("last_error", "text"),
        column("died_at", "timestamp with time zone"),
        column("type", "text"),
        column("idempotency_key", "text"),
        column("ordering_key", "text"),
        column("handler_id", "smallint"),
    ],
};

/// `hookfast.deliveries`.
pub const DELIVERIES: View = View {
    name: "deliveries",
    order: "delivery_id DESC",
    columns: &[
        column("delivery_id", "bigint"),
        column("handler", "text"),
        column("event_id", "uuid"),
        column("state", "text"),
        column("attempts", "integer"),
        column("attempts_left", "integer"),
        column("next_attempt_at", "timestamp with time zone"),
        column("ended_at", "timestamp with time zone"),
        column("ordering_key", "text"),
        column("last_error", "text"),
        column("running_by", "text"),
        column("running_since", "timestamp with time zone"),
    ],
};

/// `hookfast.durations`.
pub const DURATIONS: View = View {
    name: "durations",
    order: "handler",
    columns: &[
        column("handler", "text"),
        column("attempts_last_hour", "bigint"),
        column("median_ms_last_hour", "integer"),
        column("p95_ms_last_hour", "integer"),
        column("attempts_last_5_minutes", "bigint"),
        column("median_ms_last_5_minutes", "integer"),
        column("p95_ms_last_5_minutes", "integer"),
        column("attempts_before", "bigint"),
        column("p95_ms_before", "integer"),
    ],
};

/// `hookfast.events`.
pub const EVENTS: View = View {
    name: "events",
    order: "event_id DESC",
    columns: &[
        column("event_id", "uuid"),
        column("source", "text"),
        column("type", "text"),
        column("topic", "text"),
        column("origin", "text"),
        column("received_at", "timestamp with time zone"),
        column("idempotency_key", "text"),
        column("conflicts_with", "uuid"),
        column("verified_by", "text"),
        column("headers", "jsonb"),
        column("payload", "jsonb"),
        column("body", "bytea"),
        column("payload_error", "text"),
        column("erased_at", "timestamp with time zone"),
        column("traceparent", "text"),
    ],
};

/// `hookfast.failures`.
pub const FAILURES: View = View {
    name: "failures",
    order: "count DESC, handler, error_kind",
    columns: &[
        column("handler", "text"),
        column("error_kind", "text"),
        column("count", "bigint"),
        column("first_at", "timestamp with time zone"),
        column("last_at", "timestamp with time zone"),
        column("sample_event_id", "uuid"),
        column("sample_error", "text"),
        column("types", "text[]"),
    ],
};

/// `hookfast.handler_health`.
pub const HANDLER_HEALTH: View = View {
    name: "handler_health",
    order: "handler",
    columns: &[
        column("handler", "text"),
        column("kind", "text"),
        column("state", "text"),
        column("why", "text"),
        column("delivered_last_hour", "bigint"),
        column("failed_last_hour", "bigint"),
        column("dead_last_hour", "bigint"),
        column("dead_letters", "bigint"),
        column("ready", "bigint"),
        column("oldest_ready_age", "interval"),
        column("per_minute", "numeric"),
        column("served_by", "bigint"),
        column("types", "text[]"),
        column("sources", "text[]"),
        column("ordered", "boolean"),
        column("max_attempts", "integer"),
        column("behind_after", "interval"),
        column("median_ms", "integer"),
        column("p95_ms", "integer"),
        column("retired", "bigint"),
        column("retired_at", "timestamp with time zone"),
        column("retired_why", "text"),
    ],
};

/// `hookfast.order_health`.
pub const ORDER_HEALTH: View = View {
    name: "order_health",
    order: "source",
    columns: &[
        column("source", "text"),
        column("conflicts", "bigint"),
        column("possible_double_purchases", "bigint"),
        column("overdue", "bigint"),
        column("unknown", "bigint"),
    ],
};

/// `hookfast.pending_counts`.
pub const PENDING_COUNTS: View = View {
    name: "pending_counts",
    order: "handler",
    columns: &[
        column("handler", "text"),
        column("running", "bigint"),
        column("waiting", "bigint"),
        column("later", "bigint"),
        column("due_in_5_minutes", "bigint"),
        column("due_in_30_minutes", "bigint"),
        column("due_in_120_minutes", "bigint"),
        column("slots", "bigint"),
        column("busy", "bigint"),
    ],
};

/// `hookfast.pending_deliveries`.
pub const PENDING_DELIVERIES: View = View {
    name: "pending_deliveries",
    order: "delivery_id",
    columns: &[
        column("delivery_id", "bigint"),
        column("handler", "text"),
        column("event_id", "uuid"),
        column("state", "text"),
        column("attempts", "integer"),
        column("attempts_left", "integer"),
        column("next_attempt_at", "timestamp with time zone"),
        column("ordering_key", "text"),
        column("last_error", "text"),
        column("running_by", "text"),
        column("running_since", "timestamp with time zone"),
        column("due_at", "timestamp with time zone"),
        column("handler_id", "smallint"),
    ],
};

/// `hookfast.processes`.
pub const PROCESSES: View = View {
    name: "processes",
    order: "alive DESC, owner",
    columns: &[
        column("owner", "text"),
        column("roles", "text[]"),
        column("version", "text"),
        column("started_at", "timestamp with time zone"),
        column("seen_at", "timestamp with time zone"),
        column("alive", "boolean"),
        column("not_ready", "text"),
        column("handlers", "text[]"),
        column("slots", "integer[]"),
        column("sources", "text[]"),
    ],
};

/// `hookfast.quarantine`.
pub const QUARANTINE: View = View {
    name: "quarantine",
    order: "quarantine_id DESC",
    columns: &[
        column("quarantine_id", "bigint"),
        column("source", "text"),
        column("reason", "text"),
        column("count", "bigint"),
        column("first_at", "timestamp with time zone"),
        column("last_at", "timestamp with time zone"),
        column("topic", "text"),
        column("headers", "jsonb"),
        column("body", "bytea"),
        column("bytes", "integer"),
        column("requested_action", "text"),
        column("requested_by", "text"),
        column("last_result", "text"),
        column("responded_ok", "boolean"),
        column("is_excerpt", "boolean"),
        column("whole_sha256", "text"),
    ],
};

/// `hookfast.reindexes`.
pub const REINDEXES: View = View {
    name: "reindexes",
    order: "source",
    columns: &[
        column("source", "text"),
        column("state", "text"),
        column("events_read", "bigint"),
        column("events_total", "bigint"),
        column("complete_since", "timestamp with time zone"),
        column("requested_at", "timestamp with time zone"),
        column("requested_by", "text"),
        column("ended_at", "timestamp with time zone"),
    ],
};

/// `hookfast.replays`.
pub const REPLAYS: View = View {
    name: "replays",
    order: "replay_id DESC",
    columns: &[
        column("replay_id", "bigint"),
        column("handler", "text"),
        column("state", "text"),
        column("replayed", "bigint"),
        column("matching", "bigint"),
        column("percent", "bigint"),
        column("min_remaining", "interval"),
        column("per_second", "integer"),
        column("source", "text"),
        column("type", "text"),
        column("payload", "text"),
        column("new_webhook_id", "boolean"),
        column("requested_by", "text"),
        column("why", "text"),
        column("requested_at", "timestamp with time zone"),
        column("last_progress_at", "timestamp with time zone"),
        column("ended_at", "timestamp with time zone"),
    ],
};

/// `hookfast.retention`.
pub const RETENTION: View = View {
    name: "retention",
    order: "class",
    columns: &[
        column("class", "text"),
        column("keep", "interval"),
        column("announced_at", "timestamp with time zone"),
    ],
};

/// `hookfast.retention_holds`.
pub const RETENTION_HOLDS: View = View {
    name: "retention_holds",
    order: "held_at DESC",
    columns: &[
        column("event_id", "uuid"),
        column("why", "text"),
        column("held_by", "text"),
        column("held_at", "timestamp with time zone"),
    ],
};

/// `hookfast.source_health`.
pub const SOURCE_HEALTH: View = View {
    name: "source_health",
    order: "source",
    columns: &[
        column("source", "text"),
        column("kind", "text"),
        column("state", "text"),
        column("last_event_at", "timestamp with time zone"),
        column("silence", "interval"),
        column("last_hour", "bigint"),
        column("usual_hour", "numeric"),
        column("duplicates_last_hour", "bigint"),
        column("conflicts_last_hour", "bigint"),
        column("rejected_last_hour", "bigint"),
        column("rejects_by_reason", "jsonb"),
        column("quarantined", "bigint"),
        column("rejected_in_a_row", "bigint"),
        column("rejected_since", "timestamp with time zone"),
        column("rejected_until", "timestamp with time zone"),
        column("not_json_last_hour", "bigint"),
        column("configured_at", "timestamp with time zone"),
    ],
};

/// `hookfast.storage`.
pub const STORAGE: View = View {
    name: "storage",
    order: "bytes DESC",
    columns: &[
        column("table", "text"),
        column("days", "bigint"),
        column("oldest_day", "date"),
        column("newest_day", "date"),
        column("estimated_rows", "bigint"),
        column("dead_rows", "bigint"),
        column("bytes", "bigint"),
        column("size", "text"),
        column("bytes_a_day", "bigint"),
        column("oldest_snapshot_age", "bigint"),
        column("oldest_snapshot_holder", "text"),
    ],
};

/// `hookfast.unrouted`.
pub const UNROUTED: View = View {
    name: "unrouted",
    order: "events DESC, source, type",
    columns: &[
        column("source", "text"),
        column("type", "text"),
        column("events", "bigint"),
        column("of_events", "bigint"),
    ],
};

/// `hookfast.workers`.
pub const WORKERS: View = View {
    name: "workers",
    order: "alive DESC, owner",
    columns: &[
        column("owner", "text"),
        column("kind", "text"),
        column("lease_id", "bigint"),
        column("handlers", "text[]"),
        column("registered_at", "timestamp with time zone"),
        column("expires_at", "timestamp with time zone"),
        column("alive", "boolean"),
        column("running", "bigint"),
    ],
};

/// Every view.
pub const ALL: [&View; 30] = [
    &ACCESS,
    &AIRALO_CREDIT,
    &AIRALO_LOW_DATA,
    &AIRALO_ORDERS,
    &AIRALO_SIMS,
    &ALERTS,
    &ATTEMPTS,
    &AUDIT_LOG,
    &BACKLOG,
    &CONFLICTS,
    &COUNTS,
    &DEAD_LETTERS,
    &DELIVERIES,
    &DURATIONS,
    &EVENTS,
    &FAILURES,
    &HANDLER_HEALTH,
    &ORDER_HEALTH,
    &PENDING_COUNTS,
    &PENDING_DELIVERIES,
    &PROCESSES,
    &QUARANTINE,
    &REINDEXES,
    &REPLAYS,
    &RETENTION,
    &RETENTION_HOLDS,
    &SOURCE_HEALTH,
    &STORAGE,
    &UNROUTED,
    &WORKERS,
];

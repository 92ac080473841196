//! The functions and views of both schemas, each defined once, in a file of its own under `schema/`.

use sha2::{Digest, Sha256};
use std::fmt;

/// Lists files of `schema/` with their text.
macro_rules! objects {
    ($($path:literal,)*) => {
        &[$(Object {
            path: $path,
            definition: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/", $path, ".sql")),
        },)*]
    };
}

/// In the order of creation: Postgres checks the body of a view or of a function in SQL when it creates it, so what an
/// object uses comes before it.
pub(super) const OBJECTS: &[Object] = objects![
    "functions/hookfast_data/type_matches",
    "functions/hookfast_data/id_at",
    "functions/hookfast_data/id_time",
    "functions/hookfast_data/has_attempts_day",
    "functions/hookfast_data/counted",
    "functions/hookfast_data/check_not_retired",
    "functions/hookfast_data/as_jsonb",
    "functions/hookfast_data/escaped_code",
    "functions/hookfast_data/utf8_character",
    "functions/hookfast_data/readable_jsonb",
    "functions/hookfast_data/lenient_jsonb",
    "functions/hookfast_data/key_was_taken",
    "functions/hookfast_data/lock",
    "functions/hookfast_data/try_lock",
    "functions/hookfast_data/make_partition",
    "functions/hookfast_data/ensure_day",
    "functions/hookfast_data/notify",
    "functions/hookfast_data/wake_workers",
    "functions/hookfast_data/sequence",
    "functions/hookfast_data/bounded_key",
    "functions/hookfast_data/ordering_key",
    "functions/hookfast_data/wake",
    "functions/hookfast_data/change_order",
    "functions/hookfast_data/wake_some",
    "functions/hookfast_data/held",
    "functions/hookfast_data/take_over",
    "functions/hookfast_data/rescue",
    "functions/hookfast_data/release_held",
    "functions/hookfast_data/remove_lease",
    "functions/hookfast_data/sweep_outbox",
    "functions/hookfast_data/payload_matches",
    "functions/hookfast_data/check_filter",
    "functions/hookfast_data/filter_out",
    "functions/hookfast_data/new_event_id",
    "functions/hookfast_data/retry_delay",
    "functions/hookfast_data/retry_tries",
    "functions/hookfast_data/new_lease_id",
    "functions/hookfast/claim",
    "functions/hookfast_data/duration_counter",
    "functions/hookfast_data/pulled",
    "functions/hookfast/extend",
    "functions/hookfast_data/unmasked",
    "functions/hookfast_data/secret_values",
    "functions/hookfast_data/holds_secret",
    "functions/hookfast_data/shown_key",
    "functions/hookfast_data/without_fields",
    "functions/hookfast_data/masked",
    "functions/hookfast_data/shown_headers",
    "functions/hookfast_data/payload_error",
    "functions/hookfast_data/error_kind",
    "functions/hookfast_data/shown_kind",
    "views/hookfast/events",
    "views/hookfast/attempts",
    "views/hookfast/dead_letters",
    "views/hookfast/deliveries",
    "views/hookfast/conflicts",
    "views/hookfast/quarantine",
    "views/hookfast/replays",
    "views/hookfast/operator_log",
    "views/hookfast/holds",
    "views/hookfast/retention",
    "views/hookfast/reindexes",
    "functions/hookfast/id_at",
    "functions/hookfast_data/oldest_ready",
    "functions/hookfast_data/ready_upto",
    "functions/hookfast_data/pending_upto",
    "functions/hookfast_data/handler_load",
    "views/hookfast/backlog",
    "functions/hookfast_data/handler_counts",
    "views/hookfast/durations",
    "views/hookfast/handler_health",
    "functions/hookfast_data/count_between",
    "functions/hookfast_data/usual",
    "functions/hookfast_data/reject_counters",
    "functions/hookfast_data/is_reject",
    "functions/hookfast_data/source_counts",
    "views/hookfast/source_health",
    "views/hookfast/failures",
    "views/hookfast/workers",
    "views/hookfast/processes",
    "functions/hookfast_data/oldest_snapshot",
    "views/hookfast/storage",
    "functions/hookfast_data/subscribes",
    "views/hookfast/unrouted",
    "views/hookfast/order_health",
    "functions/hookfast/status",
    "functions/hookfast_data/log",
    "functions/hookfast_data/share_history",
    "functions/hookfast_data/try_share_history",
    "functions/hookfast_data/own_history",
    "functions/hookfast_data/handler_id",
    "functions/hookfast_data/check_at_most",
    "functions/hookfast_data/check_why",
    "functions/hookfast_data/check_payload",
    "functions/hookfast_data/revive",
    "functions/hookfast_data/dead_matching",
    "functions/hookfast/retry",
    "functions/hookfast/retry_all",
    "functions/hookfast_data/end_unrun",
    "functions/hookfast/discard",
    "functions/hookfast/discard_all",
    "functions/hookfast/postpone",
    "functions/hookfast/postpone_all",
    "functions/hookfast/pause",
    "functions/hookfast/resume",
    "functions/hookfast/pause_all",
    "functions/hookfast/resume_all",
    "functions/hookfast_data/served_by",
    "functions/hookfast_data/discard_retired",
    "functions/hookfast_data/unretire",
    "functions/hookfast/retire_handler",
    "functions/hookfast_data/terms",
    "functions/hookfast_data/json_pattern",
    "functions/hookfast_data/term_pattern",
    "functions/hookfast_data/body_matches",
    "functions/hookfast_data/found",
    "functions/hookfast/find",
    "functions/hookfast/timeline",
    "functions/hookfast/explain",
    "functions/hookfast/hold",
    "functions/hookfast/acknowledge",
    "functions/hookfast/reindex",
    "functions/hookfast/unhold",
    "functions/hookfast_data/erase_events",
    "functions/hookfast/erase",
    "functions/hookfast/erase_all",
    "functions/hookfast_data/owe_again",
    "functions/hookfast/replay",
    "functions/hookfast/replay_all",
    "functions/hookfast_data/turn_replay",
    "functions/hookfast/pause_replay",
    "functions/hookfast/resume_replay",
    "functions/hookfast/cancel_replay",
    "functions/hookfast_data/writes_before",
    "functions/hookfast_data/step_replay",
    "functions/hookfast/reverify",
    "functions/hookfast/release",
    "functions/hookfast/discard_quarantined",
    "views/hookfast/news",
    "functions/hookfast_data/raise_news",
    "functions/hookfast_data/news_of_conflict",
    "functions/hookfast_data/committed_upto",
    "functions/hookfast_data/next_events",
    "functions/hookfast_data/mark_not_indexed",
    "functions/hookfast_data/pass_over_event",
    "functions/hookfast_data/request_reindex",
    "functions/hookfast_data/next_older_events",
    "functions/hookfast_data/pass_over_older_event",
    "functions/hookfast_data/announce_conflicts",
    "functions/hookfast_data/announce_dead",
    "functions/hookfast_data/watch",
    "functions/hookfast_data/days_to_leave",
    "functions/hookfast_data/survivors",
    "functions/hookfast_data/expire_retired",
    "functions/hookfast_data/copy_day",
    "functions/hookfast_data/put_back_day",
    "functions/hookfast_data/empty_day",
    "functions/hookfast_data/leave_rows",
    "functions/hookfast_data/leaves_from",
    "functions/hookfast/retention_preview",
    "functions/hookfast_data/may_leave",
    "functions/hookfast/complete",
    "functions/hookfast/fail",
    "functions/hookfast/enqueue",
    "functions/hookfast_data/rescue_pulled",
    "functions/hookfast_data/fold_counts",
    "functions/hookfast_data/airalo_text",
    "functions/hookfast_data/airalo_number",
    "functions/hookfast_data/airalo_flat",
    "functions/hookfast_data/airalo_time",
    "functions/hookfast_data/airalo_result",
    "functions/hookfast_data/airalo_request_id",
    "functions/hookfast_data/airalo_order_id",
    "functions/hookfast_data/airalo_lock_name",
    "functions/hookfast_data/airalo_lock",
    "functions/hookfast_data/airalo_lock_result",
    "functions/hookfast_data/airalo_order_row",
    "functions/hookfast_data/airalo_link",
    "functions/hookfast_data/airalo_first_row",
    "functions/hookfast_data/airalo_project_order",
    "functions/hookfast/airalo_project",
    "views/hookfast/airalo_orders",
    "views/hookfast/airalo_sims",
    "views/hookfast/airalo_low_data",
    "views/hookfast/airalo_credit",
    "functions/hookfast_data/airalo_source",
    "functions/hookfast_data/airalo_state",
    "functions/hookfast/airalo_expect",
    "functions/hookfast/airalo_forget",
    "functions/hookfast_data/airalo_place",
    "functions/hookfast_data/airalo_placed",
    "functions/hookfast_data/airalo_flag_double",
    "functions/hookfast_data/airalo_take_due",
    "functions/hookfast_data/airalo_looked_for",
    "functions/hookfast_data/airalo_missing",
    "functions/hookfast_data/airalo_erased",
];

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A function.
    Function,
    /// A view.
    View,
}

/// A function or a view, with the statements that create or replace it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its file below `schema/`, without the ending: `views/hookfast/events`.
    pub path: &'static str,
    /// `CREATE OR REPLACE`, `COMMENT` and `REVOKE`.
    pub definition: &'static str,
}

impl Object {
    /// Whether it is a function or a view.
    pub fn kind(&self) -> ObjectKind {
        if self.path.starts_with("views/") { ObjectKind::View } else { ObjectKind::Function }
    }

    /// The qualified name, as `hookfast.events`.
    pub fn name(&self) -> String {
        let (_, name) = self.path.split_once('/').unwrap_or_default();
        name.replace('/', ".")
    }

    /// SHA-256 of the definition, in hex.
    pub(super) fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.definition))
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind() {
            ObjectKind::Function => "function",
            ObjectKind::View => "view",
        };
        write!(f, "{kind} {}", self.name())
    }
}

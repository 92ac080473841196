//! Lists the functions and views of both schemas. Each is defined once, in its own file under
//! `schema/`.

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

/// In the order of creation: Postgres checks the body of a view or an SQL function when it creates
/// it, so an object comes after those that it uses.
pub(super) const OBJECTS: &[Object] = objects![
    "functions/hookfast_data/type_matches",
    "functions/hookfast_data/event_id_at",
    "functions/hookfast_data/event_id_time",
    "functions/hookfast_data/has_attempts_day",
    "functions/hookfast_data/counted",
    "functions/hookfast_data/check_not_retired",
    "functions/hookfast_data/as_jsonb",
    "functions/hookfast_data/escaped_code",
    "functions/hookfast_data/utf8_character",
    "functions/hookfast_data/readable_jsonb",
    "functions/hookfast_data/lenient_jsonb",
    "functions/hookfast_data/raise_key_taken",
    "functions/hookfast_data/lock",
    "functions/hookfast_data/try_lock",
    "functions/hookfast_data/create_partition",
    "functions/hookfast_data/ensure_partition",
    "functions/hookfast_data/notify",
    "functions/hookfast_data/wake_workers",
    "functions/hookfast_data/assign_ordering_keys",
    "functions/hookfast_data/bounded_key",
    "functions/hookfast_data/enqueued_key",
    "functions/hookfast_data/check_enqueued",
    "functions/hookfast_data/ordering_key",
    "functions/hookfast_data/make_next_due",
    "functions/hookfast_data/apply_order_change",
    "functions/hookfast_data/wake_stalled_keys",
    "functions/hookfast_data/leased_deliveries",
    "functions/hookfast_data/rescue_deliveries",
    "functions/hookfast_data/rescue_lease",
    "functions/hookfast_data/release_unknown_deliveries",
    "functions/hookfast_data/remove_idle_lease",
    "functions/hookfast_data/rescue_orphans",
    "functions/hookfast_data/payload_matches",
    "functions/hookfast_data/check_filter",
    "functions/hookfast_data/settle_filtered",
    "functions/hookfast_data/new_event_id",
    "functions/hookfast_data/retry_delay",
    "functions/hookfast_data/new_lease_id",
    "functions/hookfast/claim",
    "functions/hookfast_data/duration_counter",
    "functions/hookfast_data/lock_pulled_deliveries",
    "functions/hookfast/extend_lease",
    "functions/hookfast_data/can_see_secrets",
    "functions/hookfast_data/can_see_payload_secrets",
    "functions/hookfast_data/setting_role",
    "functions/hookfast_data/can_set_role",
    "functions/hookfast_data/is_console",
    "functions/hookfast_data/caller",
    "functions/hookfast_data/secret_values",
    "functions/hookfast_data/contains_secret",
    "functions/hookfast_data/visible_key",
    "functions/hookfast_data/redact_fields",
    "functions/hookfast_data/redact_payload",
    "functions/hookfast_data/visible_headers",
    "functions/hookfast_data/payload_error",
    "views/hookfast/events",
    "views/hookfast/attempts",
    "views/hookfast/dead_letters",
    "views/hookfast/pending_deliveries",
    "views/hookfast/deliveries",
    "views/hookfast/conflicts",
    "views/hookfast/quarantine",
    "views/hookfast/replays",
    "views/hookfast/audit_log",
    "views/hookfast/access",
    "views/hookfast/counts",
    "views/hookfast/retention_holds",
    "views/hookfast/retention",
    "views/hookfast/reindexes",
    "functions/hookfast/event_id_at",
    "functions/hookfast_data/oldest_ready",
    "functions/hookfast_data/ready_up_to",
    "functions/hookfast/handler_id",
    "functions/hookfast_data/pending_up_to",
    "functions/hookfast_data/dead_letters_up_to",
    "functions/hookfast_data/running_up_to",
    "functions/hookfast_data/waiting_up_to",
    "functions/hookfast_data/later_up_to",
    "functions/hookfast_data/handler_load",
    "views/hookfast/backlog",
    "functions/hookfast_data/handler_counts",
    "views/hookfast/durations",
    "views/hookfast/handler_health",
    "views/hookfast/pending_counts",
    "functions/hookfast_data/count_between",
    "functions/hookfast_data/typical_count",
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
    "functions/hookfast_data/lock_history_shared",
    "functions/hookfast_data/try_lock_history_shared",
    "functions/hookfast_data/lock_history_exclusive",
    "functions/hookfast_data/handler_id",
    "functions/hookfast_data/check_at_most",
    "functions/hookfast_data/require_reason",
    "functions/hookfast_data/check_payload",
    "functions/hookfast_data/requeue_dead_letters",
    "functions/hookfast_data/matching_dead_letters",
    "functions/hookfast/console_ticket",
    "functions/hookfast/console_may_take",
    "functions/hookfast/console_redeem",
    "functions/hookfast/console_session",
    "functions/hookfast/console_logout",
    "functions/hookfast/revoke_access",
    "functions/hookfast/retry",
    "functions/hookfast/retry_all",
    "functions/hookfast_data/discard_deliveries",
    "functions/hookfast/discard",
    "functions/hookfast/discard_all",
    "functions/hookfast/reschedule",
    "functions/hookfast/reschedule_all",
    "functions/hookfast_data/pause_handler",
    "functions/hookfast/pause_handler",
    "functions/hookfast/resume_handler",
    "functions/hookfast/pause_all_handlers",
    "functions/hookfast/resume_all_handlers",
    "functions/hookfast_data/served_by",
    "functions/hookfast_data/discard_retired",
    "functions/hookfast_data/end_retirement",
    "functions/hookfast/retire_handler",
    "functions/hookfast_data/search_terms_of",
    "functions/hookfast_data/json_pattern",
    "functions/hookfast_data/term_pattern",
    "functions/hookfast_data/body_matches",
    "functions/hookfast_data/find_events",
    "functions/hookfast/find",
    "functions/hookfast/timeline",
    "functions/hookfast/explain",
    "functions/hookfast/mute_alert",
    "functions/hookfast/unmute_alert",
    "functions/hookfast/hold_event",
    "functions/hookfast/acknowledge_conflict",
    "functions/hookfast/acknowledge_conflicts",
    "functions/hookfast/reindex",
    "functions/hookfast/unhold_event",
    "functions/hookfast_data/erase_events",
    "functions/hookfast/reveal",
    "functions/hookfast/erase",
    "functions/hookfast/erase_all",
    "functions/hookfast_data/create_replay_deliveries",
    "functions/hookfast/replay",
    "functions/hookfast/replay_all",
    "functions/hookfast_data/set_replay_state",
    "functions/hookfast/pause_replay",
    "functions/hookfast/resume_replay",
    "functions/hookfast/cancel_replay",
    "functions/hookfast_data/writes_before",
    "functions/hookfast_data/advance_replay",
    "functions/hookfast/reverify_quarantined",
    "functions/hookfast/approve_quarantined",
    "functions/hookfast/discard_quarantined",
    "views/hookfast/alerts",
    "functions/hookfast_data/raise_alert",
    "functions/hookfast_data/conflict_alert",
    "functions/hookfast_data/committed_up_to",
    "functions/hookfast_data/next_events",
    "functions/hookfast_data/mark_not_indexed",
    "functions/hookfast_data/skip_event",
    "functions/hookfast_data/request_reindex",
    "functions/hookfast_data/next_older_events",
    "functions/hookfast_data/skip_older_event",
    "functions/hookfast_data/alert_conflicts",
    "functions/hookfast_data/alert_dead_letters",
    "functions/hookfast_data/evaluate_alerts",
    "functions/hookfast_data/expired_days",
    "functions/hookfast_data/retained_events",
    "functions/hookfast_data/expire_retired",
    "functions/hookfast_data/copy_retained_rows",
    "functions/hookfast_data/restore_retained_rows",
    "functions/hookfast_data/purge_day",
    "functions/hookfast_data/purge_rows",
    "functions/hookfast_data/earliest_purge",
    "functions/hookfast/retention_preview",
    "functions/hookfast_data/purge_allowed",
    "functions/hookfast/complete_many",
    "functions/hookfast/complete",
    "functions/hookfast/fail_many",
    "functions/hookfast/fail",
    "functions/hookfast/enqueue",
    "functions/hookfast/enqueue_many",
    "functions/hookfast_data/rescue_pulled",
    "functions/hookfast_data/roll_up_counts",
    "functions/hookfast_data/airalo_text",
    "functions/hookfast_data/airalo_number",
    "functions/hookfast_data/airalo_flatten",
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
    "functions/hookfast/airalo_project_event",
    "functions/hookfast/airalo_results_since",
    "views/hookfast/airalo_orders",
    "views/hookfast/airalo_sims",
    "views/hookfast/airalo_low_data",
    "views/hookfast/airalo_credit",
    "functions/hookfast_data/airalo_source",
    "functions/hookfast_data/airalo_state",
    "functions/hookfast/airalo_expect_order",
    "functions/hookfast/airalo_check_order",
    "functions/hookfast/airalo_forget_order",
    "functions/hookfast_data/airalo_record_sending",
    "functions/hookfast_data/airalo_record_placed",
    "functions/hookfast_data/airalo_flag_duplicates",
    "functions/hookfast_data/airalo_claim_due_checks",
    "functions/hookfast_data/airalo_schedule_check",
    "functions/hookfast_data/airalo_mark_missing",
    "functions/hookfast_data/airalo_erase_events",
];

/// Whether an object is a function or a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// The object is a function.
    Function,
    /// The object is a view.
    View,
}

/// A function or a view, with the statements that create or replace it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// The path of its file below `schema/` without the extension, such as `views/hookfast/events`.
    pub path: &'static str,
    /// The statements `CREATE OR REPLACE`, `COMMENT` and `REVOKE` of the object.
    pub definition: &'static str,
}

impl Object {
    /// Returns whether the object is a function or a view.
    pub fn kind(&self) -> ObjectKind {
        if self.path.starts_with("views/") {
            ObjectKind::View
        } else {
            ObjectKind::Function
        }
    }

    /// The qualified name, such as `hookfast.events`.
    pub fn name(&self) -> String {
        let (_, name) = self.path.split_once('/').unwrap_or_default();
        name.replace('/', ".")
    }

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

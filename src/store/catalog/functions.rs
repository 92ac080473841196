//! The functions of schema `hookfast`, with their parameters and who calls them.

use super::{Caller, Function, optional, required};

/// `hookfast.acknowledge_conflict`.
pub const ACKNOWLEDGE_CONFLICT: Function = Function {
    name: "acknowledge_conflict",
    caller: Caller::Operator,
    parameters: &[required("event_id", "uuid"), required("why", "text")],
};

/// `hookfast.acknowledge_conflicts`.
pub const ACKNOWLEDGE_CONFLICTS: Function = Function {
    name: "acknowledge_conflicts",
    caller: Caller::Operator,
    parameters: &[
        optional("source", "text"),
        optional("type", "text"),
        optional("received_after", "timestamp with time zone"),
        optional("received_before", "timestamp with time zone"),
        optional("why", "text"),
        optional("at_most", "bigint"),
    ],
};

/// `hookfast.airalo_check_order`.
pub const AIRALO_CHECK_ORDER: Function = Function {
    name: "airalo_check_order",
    caller: Caller::Support,
    parameters: &[
        required("description", "text"),
        required("why", "text"),
        optional("source", "text"),
    ],
};

/// `hookfast.airalo_expect_order`.
pub const AIRALO_EXPECT_ORDER: Function = Function {
    name: "airalo_expect_order",
    caller: Caller::Application,
    parameters: &[
        required("request_id", "text"),
        required("description", "text"),
        optional("expected_within", "interval"),
        optional("source", "text"),
    ],
};

/// `hookfast.airalo_forget_order`.
pub const AIRALO_FORGET_ORDER: Function = Function {
    name: "airalo_forget_order",
    caller: Caller::Operator,
    parameters: &[
        required("description", "text"),
        required("why", "text"),
        optional("source", "text"),
    ],
};

/// `hookfast.airalo_project_event`.
pub const AIRALO_PROJECT_EVENT: Function = Function {
    name: "airalo_project_event",
    caller: Caller::Application,
    parameters: &[required("event", "hookfast.event")],
};

/// `hookfast.airalo_results_since`.
pub const AIRALO_RESULTS_SINCE: Function = Function {
    name: "airalo_results_since",
    caller: Caller::Reader,
    parameters: &[
        required("before", "timestamp with time zone"),
        required("most", "bigint"),
    ],
};

/// `hookfast.approve_quarantined`.
pub const APPROVE_QUARANTINED: Function = Function {
    name: "approve_quarantined",
    caller: Caller::Operator,
    parameters: &[required("quarantine_id", "bigint"), required("why", "text")],
};

/// `hookfast.cancel_replay`.
pub const CANCEL_REPLAY: Function = Function {
    name: "cancel_replay",
    caller: Caller::Operator,
    parameters: &[required("replay_id", "bigint"), required("why", "text")],
};

/// `hookfast.claim`.
pub const CLAIM: Function = Function {
    name: "claim",
    caller: Caller::Application,
    parameters: &[
        required("handler", "text"),
        required("owner", "text"),
        optional("batch", "integer"),
        optional("lease", "interval"),
    ],
};

/// `hookfast.complete`.
pub const COMPLETE: Function = Function {
    name: "complete",
    caller: Caller::Application,
    parameters: &[
        required("lease_id", "bigint"),
        required("delivery_id", "bigint"),
    ],
};

/// `hookfast.complete_many`.
pub const COMPLETE_MANY: Function = Function {
    name: "complete_many",
    caller: Caller::Application,
    parameters: &[
        required("lease_id", "bigint"),
        required("delivery_ids", "bigint[]"),
    ],
};

/// `hookfast.console_logout`.
pub const CONSOLE_LOGOUT: Function = Function {
    name: "console_logout",
    caller: Caller::Console,
    parameters: &[required("session_sha256", "bytea")],
};

/// `hookfast.console_may_take`.
pub const CONSOLE_MAY_TAKE: Function = Function {
    name: "console_may_take",
    caller: Caller::Console,
    parameters: &[required("role", "text")],
};

/// `hookfast.console_redeem`.
pub const CONSOLE_REDEEM: Function = Function {
    name: "console_redeem",
    caller: Caller::Console,
    parameters: &[
        required("ticket_sha256", "bytea"),
        required("session_sha256", "bytea"),
    ],
};

/// `hookfast.console_session`.
pub const CONSOLE_SESSION: Function = Function {
    name: "console_session",
    caller: Caller::Console,
    parameters: &[required("session_sha256", "bytea")],
};

/// `hookfast.console_ticket`.
pub const CONSOLE_TICKET: Function = Function {
    name: "console_ticket",
    caller: Caller::Person,
    parameters: &[optional("role", "text")],
};

/// `hookfast.discard`.
pub const DISCARD: Function = Function {
    name: "discard",
    caller: Caller::Operator,
    parameters: &[required("delivery_id", "bigint"), required("why", "text")],
};

/// `hookfast.discard_all`.
pub const DISCARD_ALL: Function = Function {
    name: "discard_all",
    caller: Caller::Operator,
    parameters: &[
        optional("handler", "text"),
        optional("type", "text"),
        optional("died_after", "timestamp with time zone"),
        optional("died_before", "timestamp with time zone"),
        optional("error", "text"),
        optional("payload", "jsonpath"),
        optional("why", "text"),
        optional("at_most", "bigint"),
        optional("reason", "text"),
    ],
};

/// `hookfast.discard_quarantined`.
pub const DISCARD_QUARANTINED: Function = Function {
    name: "discard_quarantined",
    caller: Caller::Operator,
    parameters: &[
        optional("source", "text"),
        optional("reason", "text"),
        optional("last_before", "timestamp with time zone"),
        optional("why", "text"),
        optional("at_most", "bigint"),
    ],
};

/// `hookfast.enqueue`.
pub const ENQUEUE: Function = Function {
    name: "enqueue",
    caller: Caller::Application,
    parameters: &[
        required("source", "text"),
        required("type", "text"),
        required("payload", "jsonb"),
        optional("idempotency_key", "text"),
        optional("headers", "jsonb"),
        optional("topic", "text"),
        optional("key_expires_in", "interval"),
    ],
};

/// `hookfast.enqueue_many`.
pub const ENQUEUE_MANY: Function = Function {
    name: "enqueue_many",
    caller: Caller::Application,
    parameters: &[
        required("source", "text"),
        required("type", "text"),
        required("payloads", "jsonb[]"),
        optional("idempotency_keys", "text[]"),
        optional("headers", "jsonb"),
        optional("topic", "text"),
        optional("key_expires_in", "interval"),
    ],
};

/// `hookfast.erase`.
pub const ERASE: Function = Function {
    name: "erase",
    caller: Caller::Operator,
    parameters: &[required("event_id", "uuid"), required("why", "text")],
};

/// `hookfast.erase_all`.
pub const ERASE_ALL: Function = Function {
    name: "erase_all",
    caller: Caller::Operator,
    parameters: &[
        optional("term", "text"),
        optional("source", "text"),
        optional("type", "text"),
        optional("received_after", "timestamp with time zone"),
        optional("received_before", "timestamp with time zone"),
        optional("payload", "jsonpath"),
        optional("why", "text"),
        optional("at_most", "bigint"),
    ],
};

/// `hookfast.event_id_at`.
pub const EVENT_ID_AT: Function = Function {
    name: "event_id_at",
    caller: Caller::Reader,
    parameters: &[required("at", "timestamp with time zone")],
};

/// `hookfast.explain`.
pub const EXPLAIN: Function = Function {
    name: "explain",
    caller: Caller::Reader,
    parameters: &[required("event_id", "uuid")],
};

/// `hookfast.extend_lease`.
pub const EXTEND_LEASE: Function = Function {
    name: "extend_lease",
    caller: Caller::Application,
    parameters: &[
        required("lease_id", "bigint"),
        optional("lease", "interval"),
    ],
};

/// `hookfast.fail`.
pub const FAIL: Function = Function {
    name: "fail",
    caller: Caller::Application,
    parameters: &[
        required("lease_id", "bigint"),
        required("delivery_id", "bigint"),
        required("error", "text"),
        optional("retry_after", "interval"),
        optional("dead", "boolean"),
    ],
};

/// `hookfast.fail_many`.
pub const FAIL_MANY: Function = Function {
    name: "fail_many",
    caller: Caller::Application,
    parameters: &[
        required("lease_id", "bigint"),
        required("delivery_ids", "bigint[]"),
        required("error", "text"),
        optional("retry_after", "interval"),
        optional("dead", "boolean"),
    ],
};

/// `hookfast.find`.
pub const FIND: Function = Function {
    name: "find",
    caller: Caller::Reader,
    parameters: &[required("term", "text")],
};

/// `hookfast.handler_id`.
pub const HANDLER_ID: Function = Function {
    name: "handler_id",
    caller: Caller::Reader,
    parameters: &[required("handler", "text")],
};

/// `hookfast.hold_event`.
pub const HOLD_EVENT: Function = Function {
    name: "hold_event",
    caller: Caller::Operator,
    parameters: &[required("event_id", "uuid"), required("why", "text")],
};

/// `hookfast.mute_alert`.
pub const MUTE_ALERT: Function = Function {
    name: "mute_alert",
    caller: Caller::Operator,
    parameters: &[required("event_id", "uuid"), required("why", "text")],
};

/// `hookfast.pause_all_handlers`.
pub const PAUSE_ALL_HANDLERS: Function = Function {
    name: "pause_all_handlers",
    caller: Caller::Operator,
    parameters: &[required("why", "text")],
};

/// `hookfast.pause_handler`.
pub const PAUSE_HANDLER: Function = Function {
    name: "pause_handler",
    caller: Caller::Operator,
    parameters: &[required("handler", "text"), required("why", "text")],
};

/// `hookfast.pause_replay`.
pub const PAUSE_REPLAY: Function = Function {
    name: "pause_replay",
    caller: Caller::Operator,
    parameters: &[required("replay_id", "bigint"), required("why", "text")],
};

/// `hookfast.reindex`.
pub const REINDEX: Function = Function {
    name: "reindex",
    caller: Caller::Operator,
    parameters: &[required("source", "text"), required("why", "text")],
};

/// `hookfast.replay`.
pub const REPLAY: Function = Function {
    name: "replay",
    caller: Caller::Support,
    parameters: &[
        required("event_id", "uuid"),
        required("handler", "text"),
        required("why", "text"),
        optional("new_webhook_id", "boolean"),
    ],
};

/// `hookfast.replay_all`.
pub const REPLAY_ALL: Function = Function {
    name: "replay_all",
    caller: Caller::Operator,
    parameters: &[
        required("handler", "text"),
        optional("source", "text"),
        optional("type", "text"),
        optional("received_after", "timestamp with time zone"),
        optional("received_before", "timestamp with time zone"),
        optional("payload", "jsonpath"),
        optional("per_second", "integer"),
        optional("new_webhook_id", "boolean"),
        optional("why", "text"),
        optional("at_most", "bigint"),
    ],
};

/// `hookfast.reschedule`.
pub const RESCHEDULE: Function = Function {
    name: "reschedule",
    caller: Caller::Operator,
    parameters: &[
        required("delivery_id", "bigint"),
        required("due_at", "timestamp with time zone"),
        required("why", "text"),
    ],
};

/// `hookfast.reschedule_all`.
pub const RESCHEDULE_ALL: Function = Function {
    name: "reschedule_all",
    caller: Caller::Operator,
    parameters: &[
        required("handler", "text"),
        required("due_at", "timestamp with time zone"),
        optional("type", "text"),
        optional("why", "text"),
        optional("at_most", "bigint"),
    ],
};

/// `hookfast.resume_all_handlers`.
pub const RESUME_ALL_HANDLERS: Function = Function {
    name: "resume_all_handlers",
    caller: Caller::Operator,
    parameters: &[required("why", "text")],
};

/// `hookfast.resume_handler`.
pub const RESUME_HANDLER: Function = Function {
    name: "resume_handler",
    caller: Caller::Operator,
    parameters: &[required("handler", "text"), required("why", "text")],
};

/// `hookfast.resume_replay`.
pub const RESUME_REPLAY: Function = Function {
    name: "resume_replay",
    caller: Caller::Operator,
    parameters: &[required("replay_id", "bigint"), required("why", "text")],
};

/// `hookfast.retention_preview`.
pub const RETENTION_PREVIEW: Function = Function {
    name: "retention_preview",
    caller: Caller::Reader,
    parameters: &[],
};

/// `hookfast.retire_handler`.
pub const RETIRE_HANDLER: Function = Function {
    name: "retire_handler",
    caller: Caller::Operator,
    parameters: &[
        required("handler", "text"),
        required("why", "text"),
        optional("pending", "text"),
        optional("at_most", "bigint"),
    ],
};

/// `hookfast.retry`.
pub const RETRY: Function = Function {
    name: "retry",
    caller: Caller::Operator,
    parameters: &[
        required("delivery_id", "bigint"),
        required("why", "text"),
        optional("max_attempts", "integer"),
    ],
};

/// `hookfast.retry_all`.
pub const RETRY_ALL: Function = Function {
    name: "retry_all",
    caller: Caller::Operator,
    parameters: &[
        optional("handler", "text"),
        optional("type", "text"),
        optional("died_after", "timestamp with time zone"),
        optional("died_before", "timestamp with time zone"),
        optional("error", "text"),
        optional("payload", "jsonpath"),
        optional("max_attempts", "integer"),
        optional("why", "text"),
        optional("at_most", "bigint"),
        optional("reason", "text"),
    ],
};

/// `hookfast.reveal`.
pub const REVEAL: Function = Function {
    name: "reveal",
    caller: Caller::Support,
    parameters: &[required("event_id", "uuid"), required("why", "text")],
};

/// `hookfast.reverify_quarantined`.
pub const REVERIFY_QUARANTINED: Function = Function {
    name: "reverify_quarantined",
    caller: Caller::Operator,
    parameters: &[
        optional("source", "text"),
        optional("last_after", "timestamp with time zone"),
        optional("why", "text"),
        optional("at_most", "bigint"),
    ],
};

/// `hookfast.revoke_access`.
pub const REVOKE_ACCESS: Function = Function {
    name: "revoke_access",
    caller: Caller::Person,
    parameters: &[required("access_id", "bigint"), required("why", "text")],
};

/// `hookfast.status`.
pub const STATUS: Function = Function {
    name: "status",
    caller: Caller::Reader,
    parameters: &[],
};

/// `hookfast.timeline`.
pub const TIMELINE: Function = Function {
    name: "timeline",
    caller: Caller::Reader,
    parameters: &[required("term", "text")],
};

/// `hookfast.unhold_event`.
pub const UNHOLD_EVENT: Function = Function {
    name: "unhold_event",
    caller: Caller::Operator,
    parameters: &[required("event_id", "uuid"), required("why", "text")],
};

/// `hookfast.unmute_alert`.
pub const UNMUTE_ALERT: Function = Function {
    name: "unmute_alert",
    caller: Caller::Operator,
    parameters: &[required("event_id", "uuid"), required("why", "text")],
};

/// Every function.
pub const ALL: [&Function; 55] = [
    &ACKNOWLEDGE_CONFLICT,
    &ACKNOWLEDGE_CONFLICTS,
    &AIRALO_CHECK_ORDER,
    &AIRALO_EXPECT_ORDER,
    &AIRALO_FORGET_ORDER,
    &AIRALO_PROJECT_EVENT,
    &AIRALO_RESULTS_SINCE,
    &APPROVE_QUARANTINED,
    &CANCEL_REPLAY,
    &CLAIM,
    &COMPLETE,
    &COMPLETE_MANY,
    &CONSOLE_LOGOUT,
    &CONSOLE_MAY_TAKE,
    &CONSOLE_REDEEM,
    &CONSOLE_SESSION,
    &CONSOLE_TICKET,
    &DISCARD,
    &DISCARD_ALL,
    &DISCARD_QUARANTINED,
    &ENQUEUE,
    &ENQUEUE_MANY,
    &ERASE,
    &ERASE_ALL,
    &EVENT_ID_AT,
    &EXPLAIN,
    &EXTEND_LEASE,
    &FAIL,
    &FAIL_MANY,
    &FIND,
    &HANDLER_ID,
    &HOLD_EVENT,
    &MUTE_ALERT,
    &PAUSE_ALL_HANDLERS,
    &PAUSE_HANDLER,
    &PAUSE_REPLAY,
    &REINDEX,
    &REPLAY,
    &REPLAY_ALL,
    &RESCHEDULE,
    &RESCHEDULE_ALL,
    &RESUME_ALL_HANDLERS,
    &RESUME_HANDLER,
    &RESUME_REPLAY,
    &RETENTION_PREVIEW,
    &RETIRE_HANDLER,
    &RETRY,
    &RETRY_ALL,
    &REVEAL,
    &REVERIFY_QUARANTINED,
    &REVOKE_ACCESS,
    &STATUS,
    &TIMELINE,
    &UNHOLD_EVENT,
    &UNMUTE_ALERT,
];

/// The names of the functions that these callers call.
pub fn of_callers(callers: &[Caller]) -> Vec<&'static str> {
    ALL.iter()
        .filter(|function| callers.contains(&function.caller))
        .map(|function| function.name)
        .collect()
}

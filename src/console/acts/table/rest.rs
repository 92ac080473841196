//! Acts on payloads, conflicts, quarantined requests, orders, sources and access.

use super::{
    Act, Answer, Bulk, Proof, Subject, Typed, Undo,
    deliveries::{EVENT, EVENTS},
};
use crate::store::catalog::{functions, views};

const QUARANTINED: Subject = Subject {
    view: &views::QUARANTINE,
    key: "quarantine_id",
    columns: &[
        "quarantine_id",
        "source",
        "reason",
        "count",
        "first_at",
        "last_at",
        "bytes",
        "requested_action",
        "last_result",
        "is_excerpt",
    ],
    states: None,
};

/// What fits into a table of samples.
const QUARANTINED_SAMPLE: Subject = Subject {
    columns: &["quarantine_id", "source", "reason", "count", "last_at"],
    ..QUARANTINED
};

const CONFLICT: Subject = Subject {
    view: &views::CONFLICTS,
    key: "event_id",
    columns: &[
        "event_id",
        "source",
        "type",
        "received_at",
        "first_event_id",
        "acknowledged_at",
        "acknowledged_by",
    ],
    states: None,
};

/// What fits into a table of samples.
const CONFLICT_SAMPLE: Subject = Subject {
    columns: &[
        "event_id",
        "source",
        "type",
        "received_at",
        "first_event_id",
    ],
    ..CONFLICT
};

const ORDER: Subject = Subject {
    view: &views::AIRALO_ORDERS,
    key: "description",
    columns: &[
        "description",
        "source",
        "request_id",
        "state",
        "placed_at",
        "expected_by",
        "overdue_at",
        "last_check_result",
    ],
    states: None,
};

const HOLD: Subject = Subject {
    view: &views::RETENTION_HOLDS,
    key: "event_id",
    columns: &["event_id", "held_by", "held_at", "why"],
    states: None,
};

const ALERT: Subject = Subject {
    view: &views::ALERTS,
    key: "event_id",
    columns: &[
        "event_id",
        "type",
        "subject",
        "received_at",
        "is_open",
        "muted_at",
        "muted_by",
    ],
    states: None,
};

const REINDEX: Subject = Subject {
    view: &views::REINDEXES,
    key: "source",
    columns: &[
        "source",
        "state",
        "events_read",
        "events_total",
        "complete_since",
        "requested_at",
        "ended_at",
    ],
    states: None,
};

const SOURCE: Subject = Subject {
    view: &views::SOURCE_HEALTH,
    key: "source",
    columns: &["source", "kind", "state", "last_event_at", "last_hour"],
    states: None,
};

const ACCESS: Subject = Subject {
    view: &views::ACCESS,
    key: "access_id",
    columns: &[
        "access_id",
        "person",
        "role",
        "state",
        "issued_at",
        "seen_at",
        "acts_until",
        "expires_at",
        "ended_at",
        "ended_because",
    ],
    states: None,
};

const DEFAULT: Act = Act {
    function: &functions::ERASE,
    title: "",
    button: "",
    sentence: "",
    done: "",
    is_danger: false,
    undo: Undo::Harmless,
    typed: Typed::Nothing,
    answer: Answer::Nothing,
    subject: None,
    proof: Proof::Log,
    action: "",
    page: "/events",
    page_filters: &[],
    back: None,
};

const fn bulk(one: &'static str, many: &'static str, until: Option<&'static str>) -> Answer {
    Answer::Bulk(Bulk {
        one,
        many,
        until,
        acts_on_none: false,
    })
}

pub(super) const ACTS: [Act; 16] = [
    Act {
        function: &functions::REVEAL,
        title: "Reveal a payload",
        button: "Reveal",
        sentence: "Shows the payload of an event with its secret members, all headers and the exact body. The audit log keeps \
            who did it and why.",
        done: "The payload was shown once",
        answer: Answer::Revealed,
        subject: Some(EVENT),
        action: "event.revealed",
        back: Some("event_id"),
        ..DEFAULT
    },
    Act {
        function: &functions::HOLD_EVENT,
        title: "Hold an event",
        button: "Hold",
        sentence: "Keeps an event beyond its retention, with its history.",
        done: "The event is kept",
        undo: Undo::By("The hold can be removed."),
        subject: Some(EVENT),
        proof: Proof::Row(HOLD),
        action: "event.held",
        back: Some("event_id"),
        ..DEFAULT
    },
    Act {
        function: &functions::UNHOLD_EVENT,
        title: "Remove a retention hold",
        button: "Remove the hold",
        sentence: "Removes a retention hold, so that retention applies to the event again.",
        done: "The hold is removed",
        undo: Undo::By("The event can be held again until it is purged."),
        subject: Some(HOLD),
        proof: Proof::Row(HOLD),
        action: "event.unheld",
        back: Some("event_id"),
        ..DEFAULT
    },
    Act {
        function: &functions::MUTE_ALERT,
        title: "Mute an alert",
        button: "Mute",
        sentence: "Mutes an open alert until its condition changes. It stays in the list of muted alerts, and no page counts it.",
        done: "The alert is muted",
        undo: Undo::By("The muting can be ended."),
        subject: Some(ALERT),
        proof: Proof::Row(ALERT),
        action: "alert.muted",
        page: "/alerts",
        back: Some("event_id"),
        ..DEFAULT
    },
    Act {
        function: &functions::UNMUTE_ALERT,
        title: "End the muting of an alert",
        button: "End the muting",
        sentence: "Ends the muting of an alert. Pages count it again.",
        done: "The alert is no longer muted",
        undo: Undo::By("The alert can be muted again."),
        subject: Some(ALERT),
        proof: Proof::Row(ALERT),
        action: "alert.unmuted",
        page: "/alerts",
        back: Some("event_id"),
        ..DEFAULT
    },
    Act {
        function: &functions::ERASE,
        title: "Erase a payload",
        button: "Erase",
        sentence: "Erases an event's payload and headers forever. Its key, type and history stay.",
        done: "The payload is erased",
        is_danger: true,
        undo: Undo::Never,
        typed: Typed::Value("event_id"),
        subject: Some(EVENT),
        proof: Proof::Row(EVENT),
        action: "event.erased",
        back: Some("event_id"),
        ..DEFAULT
    },
    Act {
        function: &functions::ERASE_ALL,
        title: "Erase payloads",
        button: "Erase",
        sentence: "Erases payload and headers of all events that match, forever. Pending and held events are left out.",
        done: "erased",
        is_danger: true,
        undo: Undo::Never,
        typed: Typed::Number,
        answer: bulk("event", "events", Some("received_before")),
        subject: Some(EVENTS),
        action: "events.erased",
        ..DEFAULT
    },
    Act {
        function: &functions::ACKNOWLEDGE_CONFLICT,
        title: "Acknowledge a conflict",
        button: "Acknowledge",
        sentence: "Records that a conflict or a possible double purchase has been dealt with. The status reports it no longer; \
            a new conflict is reported again.",
        done: "The conflict is acknowledged",
        subject: Some(CONFLICT),
        proof: Proof::Conflicts(Some(CONFLICT)),
        action: "event.acknowledged",
        back: Some("event_id"),
        ..DEFAULT
    },
    Act {
        function: &functions::ACKNOWLEDGE_CONFLICTS,
        title: "Acknowledge conflicts",
        button: "Acknowledge",
        sentence: "Records that all conflicts that match have been dealt with. The status reports them no longer; a new conflict \
            is reported again.",
        done: "acknowledged",
        typed: Typed::Number,
        answer: bulk("conflict", "conflicts", Some("received_before")),
        subject: Some(CONFLICT_SAMPLE),
        proof: Proof::Conflicts(None),
        action: "events.acknowledged",
        page_filters: &[("conflicts", "only")],
        ..DEFAULT
    },
    Act {
        function: &functions::REVERIFY_QUARANTINED,
        title: "Verify quarantined requests again",
        button: "Verify",
        sentence: "Verifies quarantined requests again, with the secrets that are configured now. Each genuine one becomes an \
            event, once; the others stay, with the reason.",
        done: "to be verified again",
        typed: Typed::Number,
        answer: bulk("quarantined request", "quarantined requests", None),
        subject: Some(QUARANTINED_SAMPLE),
        proof: Proof::Quarantine(QUARANTINED),
        action: "quarantine.reverify_requested",
        page: "/sources",
        back: Some("source"),
        ..DEFAULT
    },
    Act {
        function: &functions::APPROVE_QUARANTINED,
        title: "Approve a quarantined request",
        button: "Approve",
        sentence: "Accepts a quarantined request on an operator's word, without verifying it. It becomes an event and is \
            delivered.",
        done: "The request is approved",
        is_danger: true,
        undo: Undo::Never,
        typed: Typed::Value("quarantine_id"),
        subject: Some(QUARANTINED),
        proof: Proof::Quarantine(QUARANTINED),
        action: "quarantine.approve_requested",
        page: "/sources",
        ..DEFAULT
    },
    Act {
        function: &functions::DISCARD_QUARANTINED,
        title: "Discard quarantined requests",
        button: "Discard",
        sentence: "Removes quarantined requests for good. Requests with a pending action stay.",
        done: "removed",
        is_danger: true,
        undo: Undo::Never,
        typed: Typed::Number,
        answer: bulk(
            "quarantined request",
            "quarantined requests",
            Some("last_before"),
        ),
        subject: Some(QUARANTINED_SAMPLE),
        proof: Proof::Log,
        action: "quarantine.discarded",
        page: "/sources",
        page_filters: &[],
        back: Some("source"),
    },
    Act {
        function: &functions::AIRALO_CHECK_ORDER,
        title: "Look for an order now",
        button: "Look now",
        sentence: "Has a worker look for the result of an expected order in Airalo's list at once, instead of at the planned \
            time.",
        done: "A worker looks for the order",
        answer: Answer::Changed,
        subject: Some(ORDER),
        proof: Proof::Row(ORDER),
        action: "airalo.order.check_requested",
        page: "/orders",
        ..DEFAULT
    },
    Act {
        function: &functions::AIRALO_FORGET_ORDER,
        title: "Forget an expected order",
        button: "Forget",
        sentence: "Ends the expectation of an order's result, for when no result will arrive.",
        done: "The order is expected no longer",
        is_danger: true,
        undo: Undo::Never,
        typed: Typed::Value("description"),
        answer: Answer::Changed,
        subject: Some(ORDER),
        proof: Proof::Log,
        action: "airalo.order.forgotten",
        page: "/orders",
        ..DEFAULT
    },
    Act {
        function: &functions::REINDEX,
        title: "Index a source again",
        button: "Index again",
        sentence: "Indexes the stored events of a source again by its search fields, from the newest to the oldest, while \
            everything else continues.",
        done: "The source is indexed again",
        subject: Some(SOURCE),
        proof: Proof::Row(REINDEX),
        action: "source.reindex_requested",
        page: "/sources",
        back: Some("source"),
        ..DEFAULT
    },
    Act {
        function: &functions::REVOKE_ACCESS,
        title: "Revoke access",
        button: "Revoke",
        sentence: "Ends a ticket or a session of the console at once.",
        done: "The access has ended",
        is_danger: true,
        undo: Undo::By("The person can get a new ticket, unless a right was taken away."),
        subject: Some(ACCESS),
        proof: Proof::Row(ACCESS),
        action: "access.revoked",
        page: "/access",
        ..DEFAULT
    },
];

//! Acts on deliveries, events and handlers.

use super::{Act, Answer, Bulk, PENDING, Proof, Subject, Typed, Undo};
use crate::store::catalog::{functions, views};

const LETTER: Subject = Subject {
    view: &views::DEAD_LETTERS,
    key: "delivery_id",
    columns: &[
        "delivery_id",
        "handler",
        "event_id",
        "type",
        "reason",
        "attempts",
        "last_error",
        "died_at",
    ],
    states: None,
};

/// What fits into a table of samples.
const LETTERS: Subject = Subject {
    columns: &["delivery_id", "event_id", "type", "last_error", "died_at"],
    ..LETTER
};

const DELIVERY: Subject = Subject {
    view: &views::DELIVERIES,
    key: "delivery_id",
    columns: &[
        "delivery_id",
        "handler",
        "event_id",
        "state",
        "attempts",
        "next_attempt_at",
        "last_error",
    ],
    states: Some("ready,running,retrying,scheduled,waiting,paused,retired,dead"),
};

const PENDING_DELIVERY: Subject = Subject {
    columns: &[
        "delivery_id",
        "event_id",
        "state",
        "attempts",
        "next_attempt_at",
    ],
    states: Some(PENDING),
    ..DELIVERY
};

pub(super) const EVENT: Subject = Subject {
    view: &views::EVENTS,
    key: "event_id",
    columns: &[
        "event_id",
        "source",
        "type",
        "received_at",
        "idempotency_key",
        "erased_at",
    ],
    states: None,
};

pub(super) const EVENTS: Subject = Subject {
    columns: &[
        "event_id",
        "source",
        "type",
        "idempotency_key",
        "received_at",
    ],
    ..EVENT
};

const HANDLER: Subject = Subject {
    view: &views::HANDLER_HEALTH,
    key: "handler",
    columns: &[
        "handler",
        "kind",
        "state",
        "why",
        "ready",
        "oldest_ready_age",
        "dead_letters",
    ],
    states: None,
};

const REPLAY: Subject = Subject {
    view: &views::REPLAYS,
    key: "replay_id",
    columns: &[
        "replay_id",
        "handler",
        "state",
        "replayed",
        "matching",
        "per_second",
        "source",
        "type",
        "requested_at",
        "last_progress_at",
        "ended_at",
    ],
    states: None,
};

/// What most acts of this file have in common.
const DEFAULT: Act = Act {
    function: &functions::RETRY,
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
    page: "/handlers",
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
        function: &functions::RETRY,
        title: "Retry a dead letter",
        button: "Retry",
        sentence: "Makes a dead letter pending again. It is the same delivery: the receiver sees the same webhook-id.",
        done: "The dead letter is pending again",
        undo: Undo::By("It can be discarded before its next attempt."),
        subject: Some(LETTER),
        proof: Proof::Deliveries,
        action: "delivery.retried",
        page: "/dead",
        ..DEFAULT
    },
    Act {
        function: &functions::RETRY_ALL,
        title: "Retry dead letters",
        button: "Retry",
        sentence: "Makes all dead letters that match pending again. They are the same deliveries: receivers see the same \
            webhook-id.",
        done: "retried",
        undo: Undo::By("They can be discarded before their next attempt."),
        typed: Typed::Number,
        answer: bulk("dead letter", "dead letters", Some("died_before")),
        subject: Some(LETTERS),
        proof: Proof::Deliveries,
        action: "deliveries.retried",
        page: "/dead",
        ..DEFAULT
    },
    Act {
        function: &functions::DISCARD,
        title: "Discard a delivery",
        button: "Discard",
        sentence: "Ends a dead letter, or a pending delivery that is not running. It is not attempted again, and the history \
            keeps it as discarded.",
        done: "The delivery is discarded",
        is_danger: true,
        undo: Undo::Never,
        typed: Typed::Value("delivery_id"),
        subject: Some(DELIVERY),
        proof: Proof::Deliveries,
        action: "delivery.discarded",
        page: "/dead",
        ..DEFAULT
    },
    Act {
        function: &functions::DISCARD_ALL,
        title: "Discard dead letters",
        button: "Discard",
        sentence: "Ends all dead letters that match, without running them. The history keeps them as discarded.",
        done: "discarded",
        is_danger: true,
        undo: Undo::Never,
        typed: Typed::Number,
        answer: bulk("dead letter", "dead letters", Some("died_before")),
        subject: Some(LETTERS),
        proof: Proof::Deliveries,
        action: "deliveries.discarded",
        page: "/dead",
        ..DEFAULT
    },
    Act {
        function: &functions::RESCHEDULE,
        title: "Reschedule a delivery",
        button: "Reschedule",
        sentence: "Changes when a pending delivery is due. “now” makes it due at once.",
        done: "The delivery is rescheduled",
        undo: Undo::By("It can be rescheduled again."),
        subject: Some(Subject {
            states: Some(PENDING),
            ..DELIVERY
        }),
        proof: Proof::Deliveries,
        action: "delivery.rescheduled",
        ..DEFAULT
    },
    Act {
        function: &functions::RESCHEDULE_ALL,
        title: "Reschedule deliveries",
        button: "Reschedule",
        sentence: "Changes when all deliveries of a handler that are ready or retrying are due. “now” makes them due at once.",
        done: "rescheduled",
        undo: Undo::By("They can be rescheduled again."),
        typed: Typed::Number,
        answer: bulk("pending delivery", "pending deliveries", None),
        subject: Some(PENDING_DELIVERY),
        proof: Proof::Deliveries,
        action: "deliveries.rescheduled",
        back: Some("handler"),
        ..DEFAULT
    },
    Act {
        function: &functions::REPLAY,
        title: "Deliver an event again",
        button: "Deliver again",
        sentence: "Delivers an event again, as a new delivery. The receiver sees the same webhook-id, and does nothing if it did \
            the work before, unless new_webhook_id is set.",
        done: "The event is delivered again",
        undo: Undo::By("The delivery can be discarded before its first attempt."),
        answer: Answer::Id,
        subject: Some(EVENT),
        proof: Proof::Deliveries,
        action: "event.replayed",
        page: "/events",
        back: Some("event_id"),
        ..DEFAULT
    },
    Act {
        function: &functions::REPLAY_ALL,
        title: "Replay events",
        button: "Replay",
        sentence: "Delivers all that match, as a job: oldest first, with a rate, beside live traffic. Receivers see the same \
            webhook-ids unless new_webhook_id is set.",
        done: "to be replayed",
        undo: Undo::By(
            "The replay can be paused or cancelled. Deliveries that it made stay pending.",
        ),
        typed: Typed::Number,
        answer: bulk("event", "events", Some("received_before")),
        subject: Some(EVENTS),
        proof: Proof::Row(REPLAY),
        action: "replay.started",
        page: "/events",
        ..DEFAULT
    },
    Act {
        function: &functions::PAUSE_REPLAY,
        title: "Pause a replay",
        button: "Pause",
        sentence: "Stops a replay for now. The deliveries that it made stay pending.",
        done: "The replay is paused",
        undo: Undo::By("It can be resumed where it stopped."),
        subject: Some(REPLAY),
        proof: Proof::Row(REPLAY),
        action: "replay.paused",
        ..DEFAULT
    },
    Act {
        function: &functions::RESUME_REPLAY,
        title: "Resume a replay",
        button: "Resume",
        sentence: "Resumes a paused replay where it stopped.",
        done: "The replay goes on",
        undo: Undo::By("It can be paused again."),
        subject: Some(REPLAY),
        proof: Proof::Row(REPLAY),
        action: "replay.resumed",
        ..DEFAULT
    },
    Act {
        function: &functions::CANCEL_REPLAY,
        title: "Cancel a replay",
        button: "Cancel the replay",
        sentence: "Ends a replay for good. The deliveries that it made stay pending.",
        done: "The replay is cancelled",
        is_danger: true,
        undo: Undo::Never,
        typed: Typed::Value("replay_id"),
        subject: Some(REPLAY),
        proof: Proof::Row(REPLAY),
        action: "replay.cancelled",
        ..DEFAULT
    },
    Act {
        function: &functions::PAUSE_HANDLER,
        title: "Pause a handler",
        button: "Pause",
        sentence: "Stops dispatch to a handler. Webhooks are still stored; its deliveries wait and use up no attempts.",
        done: "The handler is paused",
        undo: Undo::By("It can be resumed."),
        subject: Some(HANDLER),
        proof: Proof::Row(HANDLER),
        action: "handler.paused",
        back: Some("handler"),
        ..DEFAULT
    },
    Act {
        function: &functions::RESUME_HANDLER,
        title: "Resume a handler",
        button: "Resume",
        sentence: "Resumes a paused handler. The deliveries that wait for it run.",
        done: "The handler runs",
        undo: Undo::By("It can be paused again."),
        subject: Some(HANDLER),
        proof: Proof::Row(HANDLER),
        action: "handler.resumed",
        back: Some("handler"),
        ..DEFAULT
    },
    Act {
        function: &functions::PAUSE_ALL_HANDLERS,
        title: "Pause all handlers",
        button: "Pause all",
        sentence: "Pauses all handlers. Webhooks are still stored; no delivery runs until handlers are resumed.",
        done: "All handlers are paused",
        is_danger: true,
        undo: Undo::By("They can be resumed, one by one or all."),
        typed: Typed::Word("pause all"),
        answer: Answer::Changed,
        proof: Proof::Handlers,
        action: "handler.paused",
        ..DEFAULT
    },
    Act {
        function: &functions::RESUME_ALL_HANDLERS,
        title: "Resume all handlers",
        button: "Resume all",
        sentence: "Resumes all paused handlers, whoever paused them and why.",
        done: "All handlers run",
        undo: Undo::By("They can be paused again."),
        answer: Answer::Changed,
        proof: Proof::Handlers,
        action: "handler.resumed",
        ..DEFAULT
    },
    Act {
        function: &functions::RETIRE_HANDLER,
        title: "Retire a handler",
        button: "Retire",
        sentence: "Ends the subscription of a handler that no configuration has any more. Its pending deliveries are discarded, \
            or kept until their events expire.",
        done: "discarded now, and the handler is retired",
        is_danger: true,
        undo: Undo::Never,
        typed: Typed::Value("handler"),
        answer: Answer::Bulk(Bulk {
            one: "pending delivery",
            many: "pending deliveries",
            until: None,
            acts_on_none: true,
        }),
        subject: Some(PENDING_DELIVERY),
        proof: Proof::Row(HANDLER),
        action: "handler.retired",
        back: Some("handler"),
        ..DEFAULT
    },
];

use super::*;
use crate::console::event::rows::DeadLetter;

pub(in crate::console::event) fn explained(handler: &str, verdict: &str, id: i64) -> Explained {
    Explained {
        handler: handler.to_owned(),
        verdict: verdict.to_owned(),
        delivery_id: (id > 0).then_some(id),
        message: "it subscribes to airalo.*".to_owned(),
    }
}

pub(in crate::console::event) fn delivery(handler: &str, state: &str, id: i64) -> Delivery {
    Delivery {
        delivery_id: id,
        handler: handler.to_owned(),
        state: state.to_owned(),
        attempts: 3,
        attempts_left: Some(9),
        next_attempt_at: Some(Timestamp(60_000_000)),
        ended_at: None,
        ordering_key: None,
        running_by: None,
    }
}

pub(in crate::console::event) fn attempt(handler: &str, outcome: &str, id: i64) -> Attempt {
    Attempt {
        delivery_id: id,
        attempt_number: 3,
        handler: handler.to_owned(),
        outcome: outcome.to_owned(),
        finished_at: Timestamp(0),
        duration_ms: Some(19),
        status: Some(502),
        error: Some("upstream\u{202e}".to_owned()),
        error_kind: Some("status 502".to_owned()),
    }
}

const ALL: Rights = Rights {
    replay: true,
    reschedule: true,
    retry: true,
    resume: true,
};

fn shown(word: &str, outcome: &str, rights: &Rights, is_erased: bool) -> Branch {
    let explained = explained("shop", word, 7);
    let delivery = delivery("shop", word, 7);
    let last = attempt("shop", outcome, 7);
    let dead = DeadLetter {
        delivery_id: 7,
        reason: "attempts_exhausted".to_owned(),
    };
    let outcome = Outcome {
        explained: &explained,
        delivery: Some(&delivery),
        last: Some(&last),
        health: None,
        dead_because: Some(&dead.reason),
    };
    outcome.branch("id", is_erased, rights, Timestamp(0))
}

#[test]
fn each_state_has_its_reason_and_its_act() {
    for (word, outcome, why, href) in [
        (
            "delivered",
            "delivered",
            "in 19 ms · attempt 3",
            "/act/replay?event_id=id&handler=shop",
        ),
        (
            "dead",
            "dead",
            "no attempt left · 502 Bad Gateway · 3 attempts",
            "/act/retry?delivery_id=7",
        ),
        (
            "retrying",
            "retry",
            "502 Bad Gateway · 3 so far, 9 left · next at 00:01:00 (in 1 min)",
            "/act/reschedule?delivery_id=7&due_at=now",
        ),
    ] {
        let branch = shown(word, outcome, &ALL, false);
        assert_eq!((branch.why.as_str(), branch.word.as_str()), (why, word));
        assert_eq!(branch.act.map(|act| act.href).as_deref(), Some(href));
    }
}

#[test]
fn without_the_right_there_is_no_act() {
    let none = Rights {
        replay: false,
        reschedule: false,
        retry: false,
        resume: false,
    };
    for word in ["delivered", "dead", "retrying", "paused", "scheduled"] {
        assert!(shown(word, "retry", &none, false).act.is_none(), "{word}");
    }
}

#[test]
fn an_erased_event_is_not_delivered_again() {
    for word in ["delivered", "dead"] {
        assert!(shown(word, "retry", &ALL, true).act.is_none(), "{word}");
    }
}

#[test]
fn failures_are_named() {
    let mut failed = attempt("shop", "retry", 1);
    assert_eq!(failure(&failed), "502 Bad Gateway");
    failed.status = None;
    failed.error_kind = Some("connection_refused".to_owned());
    assert_eq!(failure(&failed), "connection refused");
    failed.error_kind = Some("handler".to_owned());
    assert_eq!(failure(&failed), "upstreamU+202E");
    failed.error = None;
    assert_eq!(failure(&failed), "the handler failed");
}

//! A handler's panic is a failed attempt, and what it says is an answer: it may repeat the payload, so it goes into the
//! attempt's error, which operators read, and not into the log.

use crate::throttle::throttled;
use std::{
    panic::{set_hook, take_hook},
    sync::{Arc, Once},
};

tokio::task_local! {
    static HANDLER: Arc<str>;
}

/// Runs a handler's code: a panic of it is logged by handler and place alone.
pub(super) async fn of_handler<F: Future>(handler: &Arc<str>, code: F) -> F::Output {
    HANDLER.scope(handler.clone(), code).await
}

/// From now on. Every other panic goes where it went before.
pub(super) fn keep_messages_out_of_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| match HANDLER.try_with(Clone::clone) {
            Ok(handler) => {
                let at = panic.location().map(ToString::to_string).unwrap_or_default();
                throttled!(error, %handler, at, "a handler panicked; what it said is in the attempt's error");
            }
            Err(_) => before(panic),
        }));
    });
}

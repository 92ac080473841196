//! Keeps the messages of handler panics out of the log. A panic is a failed attempt, and its
//! message may repeat the payload. So the message goes into the attempt's error, which operators
//! read.

use crate::throttle::throttled;
use std::{
    panic::{set_hook, take_hook},
    sync::{Arc, Once},
};

tokio::task_local! {
    static HANDLER: Arc<str>;
}

/// Runs a handler's code. If it panics, only the handler and the source location are logged.
pub(super) async fn of_handler<F: Future>(handler: &Arc<str>, code: F) -> F::Output {
    HANDLER.scope(handler.clone(), code).await
}

/// Installs the panic hook. All other panics go to the previous hook.
pub(super) fn keep_messages_out_of_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| match HANDLER.try_with(Clone::clone) {
            Ok(handler) => {
                let at = panic.location().map(ToString::to_string).unwrap_or_default();
                throttled!(error, %handler, at, "a handler panicked; its message is in the attempt's error");
            }
            Err(_) => before(panic),
        }));
    });
}

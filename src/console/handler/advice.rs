//! What to do about the state of a handler.

/// One or two sentences. `is_configured`: whether a live process has the handler in its
/// configuration.
pub(super) fn of(state: &str, kind: &str, is_configured: bool, has_dead: bool) -> &'static str {
    match (state, kind) {
        ("ok", _) if has_dead => {
            "It delivers now, and has dead letters, which Hookfast does not retry. Repair what their errors say, then \
             retry them."
        }
        ("ok", _) => "It delivers normally. There is nothing to do.",
        ("slow", "sql" | "airalo" | "transactional") => {
            "Deliveries succeed, and take much longer than before. Look at the database of the function: locks, a \
             missing index, its load."
        }
        ("slow", _) => {
            "Deliveries succeed, and take much longer than before. Look at the receiver and at what it waits for."
        }
        ("behind", "pull") => "Deliveries wait for too long. Start more clients. Nothing is lost.",
        ("behind", "sql" | "airalo") => {
            "More events arrive than it processes, or each attempt takes too long. If the durations rose, repair the \
             function; else raise connections, or start another worker. Nothing is lost."
        }
        ("behind", _) => {
            "More events arrive than it processes, or each attempt takes too long. If the durations rose, repair the \
             receiver; else raise concurrency or rate, or start another worker. Nothing is lost."
        }
        ("failing", _) => {
            "Repair the receiver or the function: the errors are below. If that takes longer, pause the handler, so \
             that deliveries do not use up their attempts. Then retry its dead letters."
        }
        ("open", _) => {
            "The receiver is unavailable, so deliveries wait and use up no attempts. Repair the receiver; Hookfast \
             continues by itself after the next probe. Then retry its dead letters, if it has any."
        }
        ("unserved", "pull") => {
            "Start its client, and look into the client's log for errors of hookfast.claim. Deliveries wait and are \
             not lost."
        }
        ("unserved", _) if is_configured => {
            "A live process has it in its configuration, and no worker serves it: look at what that process waits \
             for. Deliveries wait and are not lost."
        }
        ("unserved", _) => {
            "If no configuration has it any more, because it was renamed or removed, retire it. Deliveries wait and are \
             not lost."
        }
        ("paused", _) => {
            "Its deliveries wait and use up no attempts, and webhooks are still received. Resume it when the reason \
             for the pause is gone."
        }
        ("retired", _) => {
            "It receives no new deliveries, and what it kept is not run. A process that starts with it subscribes it \
             again."
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_advice() {
        for state in [
            "ok", "slow", "behind", "failing", "open", "unserved", "paused", "retired",
        ] {
            for kind in ["http", "sql", "airalo", "pull", "rust", "transactional"] {
                let advice = of(state, kind, false, false);
                assert!(advice.ends_with('.'), "{state} {kind}");
            }
        }
        assert!(of("unserved", "http", true, false).contains("waits for"));
        assert!(of("unserved", "http", false, false).contains("retire"));
        assert!(of("ok", "http", true, true).contains("retry them"));
    }
}

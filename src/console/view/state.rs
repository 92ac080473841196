//! The shape and the colour of each state, in one table, so that a word looks the same on every
//! page.

/// The kind of mark of a state of a handler, a delivery, an order, a source or an area of the
/// status: `ok`, `warning`, `critical`, `paused`, `waiting` or `none`. A word that is not in the
/// table gets no alarming colour.
pub(crate) fn kind(state: &str) -> &'static str {
    match state {
        "ok" | "delivered" | "completed" | "verified" | "stored" | "resolved" | "done" => "ok",
        "warning" | "slow" | "behind" | "retrying" | "overdue" | "all_rejected" | "rejected"
        | "muted" | "not routed" | "subscribed later" => "warning",
        "critical" | "failing" | "open" | "unserved" | "rejecting" | "silent" | "dead" | "lost"
        | "failed" | "unknown" | "conflict" => "critical",
        "paused" | "blocked" => "paused",
        "ready" | "running" | "scheduled" | "waiting" | "pending" | "expected" => "waiting",
        _ => "none",
    }
}

/// The state of a handler or a source in words. Without its noun, "open" reads as healthy.
pub(crate) fn word(state: &str) -> &str {
    match state {
        "open" => "circuit open",
        "all_rejected" => "all rejected",
        "unconfigured" => "not configured",
        other => other,
    }
}

/// Why a delivery died, in words.
pub(crate) fn death(reason: &str) -> &str {
    match reason {
        "attempts_exhausted" => "no attempt left",
        "rejected" => "the handler rejected it for good",
        "lost" => "its worker disappeared five times",
        "event_missing" => "the event was missing",
        other => other,
    }
}

/// The same shapes as text, for titles of pages, which have neither shapes nor colours.
pub(crate) fn glyph(kind: &str) -> &'static str {
    match kind {
        "critical" => "◆ ",
        "warning" => "▲ ",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_of_the_glossary_has_a_mark() {
        for (state, expected) in [
            ("ready", "waiting"),
            ("running", "waiting"),
            ("retrying", "warning"),
            ("scheduled", "waiting"),
            ("waiting", "waiting"),
            ("paused", "paused"),
            ("retired", "none"),
            ("delivered", "ok"),
            ("filtered", "none"),
            ("dead", "critical"),
            ("discarded", "none"),
            ("unserved", "critical"),
            ("not subscribed", "none"),
            ("not routed", "warning"),
            ("subscribed later", "warning"),
        ] {
            assert_eq!(kind(state), expected, "{state}");
        }
    }

    #[test]
    fn titles_begin_with_the_shape_of_trouble_only() {
        assert_eq!(glyph("critical"), "◆ ");
        assert_eq!(glyph("warning"), "▲ ");
        assert_eq!(glyph("ok"), "");
    }
}

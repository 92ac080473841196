//! Why requests are rejected and what to do, in words. The runbook has the same advice at length.

/// A reason of a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Advice {
    /// The reason in words.
    pub(super) words: &'static str,
    pub(super) meaning: &'static str,
    pub(super) todo: &'static str,
}

const fn advice(words: &'static str, meaning: &'static str, todo: &'static str) -> Advice {
    Advice {
        words,
        meaning,
        todo,
    }
}

/// What a reason means, also one of a later version.
pub(super) fn for_reason(reason: &str) -> Advice {
    match reason {
        "wrong_signature" => advice(
            "wrong signature",
            "The signature has the right form, but none of the configured secrets made it.",
            "The sender has a newer secret than this source, something on the way changes the body, or a stranger sent it. \
             Compare it with a stored event. If it is genuine, add the sender's secret to the secrets of the source, send the \
             processes SIGHUP, and reverify. Discard nothing before that.",
        ),
        "missing_signature" => advice(
            "no signature",
            "The header of the signature is missing, or a header that is signed with the body.",
            "This is not the sender, or a proxy removes the header. Compare the headers with those of a stored event.",
        ),
        "malformed_signature" => advice(
            "malformed signature",
            "The signature has a wrong length, alphabet or number.",
            "This is not the sender, or a proxy changes the header. Check that the kind of the source is the sender's.",
        ),
        "unsupported_signature" => advice(
            "unsupported signature",
            "Every signature has a version that this kind of source cannot verify.",
            "Let the sender sign with a shared secret, or check that the kind of the source is the sender's.",
        ),
        "stale_signature" => advice(
            "stale signature",
            "It was signed too long ago, or in the future: a copy of an old request, or a clock is wrong.",
            "If every sender that signs a time has this, the clock of this machine is wrong: `hookfast check` reports by how \
             much. Set the clocks by NTP. Reverifying does not help, since requests are verified as of their arrival; approve \
             the genuine ones.",
        ),
        "too_large" | "too_many_headers" | "headers_too_large" | "address_too_long" => advice(
            match reason {
                "too_large" => "body too large",
                "too_many_headers" => "too many headers",
                "headers_too_large" => "headers too large",
                _ => "address too long",
            },
            "The request exceeds a limit. It was rejected before verification, and is not kept.",
            "Raise the limit under [ingress], or ask the sender what has changed.",
        ),
        "too_slow" | "headers_too_slow" => advice(
            if reason == "too_slow" {
                "body too slow"
            } else {
                "headers too slow"
            },
            "The request did not arrive in time. It is not kept.",
            "The sender is slow, or a proxy passes requests on without buffering them.",
        ),
        "bad_topic" => advice(
            "wrong address",
            "The last part of the address is no topic. The request is not kept.",
            "Correct the URL at the sender.",
        ),
        "malformed" | "broken_body" => advice(
            if reason == "malformed" {
                "not HTTP"
            } else {
                "body cut off"
            },
            "The request is not HTTP, or it was cut off. It is not kept.",
            "Look at what is between the sender and Hookfast.",
        ),
        _ => advice(
            "another reason",
            "This version of the console does not know the reason.",
            "Look it up in the runbook, under hookfast.source.rejecting.",
        ),
    }
}

/// What the last verification of a quarantined request found.
pub(super) fn last_result(result: &str) -> String {
    match result {
        "excerpt" => "only the beginning of the body is kept, so it cannot be verified".to_owned(),
        "refused_by_the_database" => {
            "it was verified, but the database cannot store its text".to_owned()
        }
        reason => match for_reason(reason) {
            known if known.words != "another reason" => format!("{} again", known.words),
            _ => reason.replace('_', " "),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::summary::REJECTIONS;
    use super::*;

    #[test]
    fn each_reason_has_advice() {
        for reason in REJECTIONS {
            let advice = for_reason(reason);
            assert_ne!(advice.words, "another reason", "{reason}");
            assert!(!advice.meaning.is_empty() && !advice.todo.is_empty());
        }
        assert_eq!(for_reason("of a later version").words, "another reason");
    }

    #[test]
    fn results_are_words() {
        assert_eq!(last_result("wrong_signature"), "wrong signature again");
        assert_eq!(last_result("later_reason"), "later reason");
        assert!(last_result("excerpt").contains("beginning"));
    }
}

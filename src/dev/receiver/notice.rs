//! The receiver's report of a request, and the set of webhooks that it has accepted.

use super::Mode;
use crate::signing::standard_webhooks::Unverified;
use axum::body::Bytes;
use std::{
    collections::{HashSet, VecDeque},
    fmt,
};

/// How many accepted ids are remembered.
const REMEMBERED: usize = 100_000;

/// A report of one request. Its `Display` form is one line for people.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A webhook with a valid signature.
    Received(Received),
    /// A request that got status 401.
    Refused(Unverified),
}

/// A verified webhook.
#[derive(Clone, Debug)]
pub struct Received {
    /// The webhook id, the same for every attempt.
    pub id: String,
    /// The id of the delivery. Empty if the sender is not Hookfast.
    pub delivery: String,
    /// The number of the attempt. 0 if the sender does not send it.
    pub attempt: u32,
    /// The source of the event. Empty if the sender does not send it.
    pub source: String,
    /// The type of the event. Empty if the sender does not send it.
    pub event_type: String,
    /// The exact bytes of the body.
    pub body: Bytes,
    /// Whether this id was accepted before. A receiver that works then does nothing.
    pub repeat: bool,
    /// The mode that decided the response.
    pub mode: Mode,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received(received) => received.fmt(f),
            Self::Refused(why) => write!(f, "401  {why}"),
        }
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode {
            Mode::Ok => f.write_str("200")?,
            Mode::Fail(status) => write!(f, "{}", status.as_u16())?,
            Mode::Hang => f.write_str("...")?,
        }
        let or = |text: &str| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                text.to_owned()
            }
        };
        write!(
            f,
            "  {}  {}  from {}  attempt {}",
            or(&self.event_type),
            self.id,
            or(&self.source),
            self.attempt
        )?;
        write!(f, "  {} bytes", self.body.len())?;
        if self.repeat {
            f.write_str("  duplicate: already processed, nothing to do")
        } else {
            Ok(())
        }
    }
}

/// The ids that got status 200. The oldest id is forgotten first.
#[derive(Default)]
pub(super) struct Accepted {
    known: HashSet<String>,
    in_order: VecDeque<String>,
}

impl Accepted {
    /// Whether the id is new.
    pub(super) fn insert(&mut self, id: &str) -> bool {
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        self.in_order.push_back(id.to_owned());
        if self.in_order.len() > REMEMBERED
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.known.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_and_memory_is_bounded() {
        let mut accepted = Accepted::default();
        assert!(accepted.insert("a") && !accepted.insert("a") && accepted.contains("a"));
        for n in 0..REMEMBERED {
            accepted.insert(&n.to_string());
        }
        assert_eq!(
            (accepted.known.len(), accepted.in_order.len()),
            (REMEMBERED, REMEMBERED)
        );
        assert!(!accepted.contains("a") && accepted.contains("0"));
    }

    #[test]
    fn a_notice_is_one_line() {
        let mut received = Received {
            id: "0197f2a0-0000-7000-8000-000000000001".into(),
            delivery: "7".into(),
            attempt: 2,
            source: "airalo".into(),
            event_type: "airalo.order.completed".into(),
            body: "{}".into(),
            repeat: false,
            mode: Mode::Ok,
        };
        let line = "200  airalo.order.completed  0197f2a0-0000-7000-8000-000000000001  from airalo  attempt 2  2 bytes";
        assert_eq!(Notice::Received(received.clone()).to_string(), line);
        received.repeat = true;
        assert!(
            received
                .to_string()
                .ends_with("duplicate: already processed, nothing to do")
        );
        assert!(
            Notice::Refused(Unverified::Wrong)
                .to_string()
                .starts_with("401")
        );
    }
}

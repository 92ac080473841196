//! The page `/design`: every component in every state, for whoever changes one. `hookfast dev`
//! serves it.

use askama::Template;

use super::{
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    view::{
        marks::{self, Breaks, Run},
        path::{Act, Branch, EventPath, Reached, Step},
        payload::{Payload, Shape},
        strip::{Minute, Strip},
    },
};
use crate::store::Work;
use axum::response::Response;

#[derive(Template)]
#[template(path = "design.html")]
struct Design {
    frame: Frame,
    full: Strip,
    thin: Strip,
    exceptions: Vec<Exception>,
    path: EventPath,
    rejected: EventPath,
    choices: Vec<Choice>,
    options: Vec<Named>,
    entries: Vec<Entry>,
    pretty: Payload<'static>,
    raw: Payload<'static>,
    hex: Payload<'static>,
    deceptive: Vec<Run<'static>>,
}

struct Exception {
    kind: &'static str,
    mark: &'static str,
    brief: &'static str,
    text: &'static str,
    href: &'static str,
}

struct Choice {
    href: &'static str,
    label: &'static str,
    current: bool,
}

/// A hidden parameter of a form has a name and a value, an option a value and a label.
struct Named {
    name: &'static str,
    label: &'static str,
    value: &'static str,
}

struct Entry {
    iso: &'static str,
    time: &'static str,
    subject: &'static str,
    kind: &'static str,
    word: &'static str,
    message: &'static str,
    later: bool,
}

const BODY: &[u8] = include_bytes!("design.json");

pub(super) async fn design(request: PageRequest) -> Result<Response, PageError> {
    let mut visit = request.visit(Work::Page).await?;
    let mut frame = Frame::of(&request, &mut visit, "", "Design").await?;
    visit.finish().await?;
    frame.strip = None;
    frame.ran = vec![
        "SELECT * FROM hookfast.status();".to_owned(),
        "SELECT * FROM hookfast.unrouted;".to_owned(),
    ];
    written(&Design::new(frame))
}

impl Design {
    fn new(frame: Frame) -> Self {
        let hour = hour();
        let link = |start: i64| format!("/events?minute={start}");
        Self {
            frame,
            full: Strip::full(&hour, link),
            thin: Strip::thin(&hour, link),
            exceptions: vec![
                exception(
                    "critical",
                    "shop failing",
                    "shop is failing: 7 of the last 10 attempts failed",
                ),
                exception("warning", "books paused", "books is paused: release 41"),
                exception(
                    "",
                    "replay 31 running",
                    "replay 31 to books is running: 620 of 1,000",
                ),
            ],
            path: path(),
            rejected: rejected(),
            choices: ["1 h", "24 h", "7 d"]
                .map(|label| Choice {
                    href: "#",
                    label,
                    current: label == "24 h",
                })
                .into(),
            options: [("shop", "shop"), ("books", "books")]
                .map(|(value, label)| Named {
                    name: "kept",
                    label,
                    value,
                })
                .into(),
            entries: entries(),
            pretty: Payload::new(BODY, Shape::Pretty, ""),
            raw: Payload::new(b"invoice\xe2\x80\xaefdp.exe\n{\"a\":1,}", Shape::Pretty, ""),
            hex: Payload::new(
                b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01,\x00",
                Shape::Hex,
                "",
            ),
            deceptive: marks::runs("pay\u{200b}pal\u{202e}moc.\u{2069}\u{7}", Breaks::Mark),
        }
    }
}

fn exception(kind: &'static str, brief: &'static str, text: &'static str) -> Exception {
    Exception {
        kind,
        mark: kind,
        brief,
        text,
        href: "#",
    }
}

fn step(label: &str, value: &str, note: &str, reached: Reached) -> Step {
    Step {
        label: label.to_owned(),
        value: value.to_owned(),
        note: note.to_owned(),
        reached,
    }
}

fn branch(
    handler: &str,
    kind: &'static str,
    word: &str,
    why: &str,
    act: Option<(&str, bool)>,
) -> Branch {
    let act = act.map(|(label, is_primary)| Act {
        label: label.to_owned(),
        href: "#".to_owned(),
        is_primary,
    });
    Branch {
        handler: handler.to_owned(),
        href: "#".to_owned(),
        kind,
        word: word.to_owned(),
        why: why.to_owned(),
        act,
    }
}

fn path() -> EventPath {
    EventPath {
        steps: vec![
            step(
                "airalo sent",
                "12:01:07.412",
                "its first attempt",
                Reached::Yes,
            ),
            step("verified", "client secret", "1,454 bytes", Reached::Yes),
            step(
                "stored",
                "200 in 3 ms",
                "no duplicate, no conflict",
                Reached::Yes,
            ),
        ],
        branches: vec![
            branch(
                "airalo_orders",
                "ok",
                "delivered",
                "after 19 ms, attempt 1",
                Some(("Replay", false)),
            ),
            branch(
                "shop",
                "critical",
                "retrying",
                "502 Bad Gateway · 3 of 12 attempts · next 12:11:07, if the breaker has closed",
                Some(("Try now", true)),
            ),
            branch(
                "books",
                "paused",
                "paused",
                "by deploy at 09:12, “release 41”",
                None,
            ),
            branch("mail", "waiting", "ready", "for 2 s", None),
            branch(
                "stock",
                "none",
                "not subscribed",
                "it subscribes to airalo.low_data.*",
                Some(("Replay", false)),
            ),
        ],
    }
}

fn rejected() -> EventPath {
    let steps = vec![
        step(
            "clerk sent",
            "12:02:41.003",
            "54 requests in an hour",
            Reached::Yes,
        ),
        step(
            "not verified",
            "wrong signature",
            "no configured secret matches",
            Reached::Broken,
        ),
        step(
            "not stored",
            "401 in 1 ms",
            "kept in quarantine",
            Reached::No,
        ),
    ];
    EventPath {
        steps,
        branches: Vec::new(),
    }
}

fn entries() -> Vec<Entry> {
    let entry = |time, subject, kind, word, message| Entry {
        iso: "2026-11-28T12:01:07Z",
        time,
        subject,
        kind,
        word,
        message,
        later: false,
    };
    let mut entries = vec![
        entry(
            "12:01:07.412",
            "airalo",
            "",
            "received",
            "POST /webhooks/airalo/async_orders",
        ),
        entry(
            "12:01:07.415",
            "airalo",
            "",
            "stored",
            "order:3NhR…X3Cg:completed",
        ),
        entry(
            "12:01:07.431",
            "airalo_orders",
            "ok",
            "delivered",
            "after 4 ms",
        ),
        entry(
            "12:01:07.502",
            "shop",
            "critical",
            "attempt 1",
            "502 Bad Gateway after 71 ms",
        ),
        entry(
            "12:11:07",
            "shop",
            "",
            "next attempt",
            "if the circuit breaker has closed",
        ),
    ];
    if let Some(last) = entries.last_mut() {
        last.later = true;
    }
    entries
}

/// An hour with a bit of everything.
fn hour() -> Vec<Minute> {
    let minute = |index: u64| {
        let busy = 40 + index * 17 % 23 + index / 2;
        let trouble = (38..50).contains(&index);
        Minute {
            start: 1_795_863_840 + index as i64 * 60,
            stored: if index == 59 { busy / 3 } else { busy },
            duplicate: if index % 7 == 3 { 6 } else { 0 },
            rejected: if (41..47).contains(&index) { 9 } else { 0 },
            delivered: if trouble { busy } else { busy * 2 },
            retried: if trouble { 22 } else { 0 },
            dead: u64::from(index == 47 || index == 49) * 7,
        }
    };
    (0..60).map(minute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_no_inline_style_and_no_inline_script() {
        let page = Design::new(Frame::sample()).render().expect("a page");
        for forbidden in [" style=", "<style", " onclick=", "javascript:", "<script>"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn every_id_is_there_once() {
        let page = Design::new(Frame::sample()).render().expect("a page");
        let mut ids: Vec<_> = page
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        ids.sort_unstable();
        let twice: Vec<_> = ids.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}

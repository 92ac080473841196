//! The path of an event: sender, verified, stored, and a branch for each handler, broken where it
//! broke.
//!
//! It is an ordered list that the stylesheet draws as a line: across the page, or down it on
//! phones.

use askama::Template;

/// How far an event got at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Yes,
    /// It stopped here: the request failed verification, for example.
    Broken,
    /// It stopped earlier.
    No,
}

/// One step that every event takes.
#[derive(Debug)]
pub(crate) struct Step {
    /// `airalo sent`, `verified`, `stored`
    pub(crate) label: String,
    /// What matters most: `200 in 3 ms`.
    pub(crate) value: String,
    pub(crate) note: String,
    pub(crate) reached: Reached,
}

impl Step {
    fn class(&self) -> &'static str {
        match self.reached {
            Reached::Yes => "reached",
            Reached::Broken => "broken",
            Reached::No => "unreached",
        }
    }
}

/// One handler.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) handler: String,
    pub(crate) href: String,
    /// Of `view::state::kind`.
    pub(crate) kind: &'static str,
    /// The state in a word: `delivered`, `retrying`, `not subscribed`.
    pub(crate) word: String,
    /// `3 of 12 attempts · 502 Bad Gateway · next 12:11:07`
    pub(crate) why: String,
    pub(crate) act: Option<Act>,
}

/// What to do about a branch: a link to the preview of an act.
#[derive(Debug)]
pub(crate) struct Act {
    pub(crate) label: String,
    pub(crate) href: String,
    /// The one that repairs.
    pub(crate) is_primary: bool,
}

#[derive(Template)]
#[template(path = "event_path.html")]
pub(crate) struct EventPath {
    pub(crate) steps: Vec<Step>,
    pub(crate) branches: Vec<Branch>,
}

impl askama::filters::HtmlSafe for EventPath {}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(label: &str, reached: Reached) -> Step {
        Step {
            label: label.to_owned(),
            value: "v".to_owned(),
            note: "n".to_owned(),
            reached,
        }
    }

    fn branch(kind: &'static str) -> Branch {
        Branch {
            handler: "<shop>".to_owned(),
            href: "/handlers/shop".to_owned(),
            kind,
            word: "retrying".to_owned(),
            why: "502 Bad Gateway".to_owned(),
            act: Some(Act {
                label: "Try now".to_owned(),
                href: "/x".to_owned(),
                is_primary: true,
            }),
        }
    }

    #[test]
    fn a_branch_has_its_reason_and_its_act() {
        let path = EventPath {
            steps: vec![step("stored", Reached::Yes)],
            branches: vec![branch("critical")],
        };
        let page = path.render().expect("a path");
        assert!(page.contains("branch critical"), "{page}");
        assert!(page.contains("502 Bad Gateway"), "{page}");
        assert!(page.contains("&#60;shop&#62;"), "{page}");
        assert!(page.contains("button primary"), "{page}");
        assert!(!page.contains("style="), "{page}");
    }

    #[test]
    fn a_rejected_request_has_no_branches() {
        let steps = vec![
            step("sent", Reached::Yes),
            step("verified", Reached::Broken),
            step("stored", Reached::No),
        ];
        let page = EventPath {
            steps,
            branches: Vec::new(),
        }
        .render()
        .expect("a path");
        assert!(page.contains("step broken"), "{page}");
        assert!(page.contains("step unreached"), "{page}");
        assert!(!page.contains("fork"), "{page}");
    }
}

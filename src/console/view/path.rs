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

impl EventPath {
    /// At most one act is the one to choose: that of the first branch in the worst state. None is
    /// while something else has to be decided first.
    pub(crate) fn new(steps: Vec<Step>, mut branches: Vec<Branch>, is_undecided: bool) -> Self {
        let wanted = |branch: &Branch| branch.act.as_ref().is_some_and(|act| act.is_primary);
        let worst = |branch: &Branch| branch.kind == "critical" && wanted(branch);
        let chosen = (branches.iter().position(worst))
            .or_else(|| branches.iter().position(wanted))
            .filter(|_| !is_undecided);
        for (at, branch) in branches.iter_mut().enumerate() {
            if let Some(act) = &mut branch.act {
                act.is_primary = chosen == Some(at);
            }
        }
        Self { steps, branches }
    }
}

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
    fn one_act_is_primary_unless_something_is_undecided() {
        let of = |kinds: &[&'static str], is_undecided| {
            let branches = kinds.iter().map(|kind| branch(kind)).collect();
            let path = EventPath::new(Vec::new(), branches, is_undecided);
            let acts = path
                .branches
                .iter()
                .filter_map(|branch| branch.act.as_ref());
            acts.map(|act| act.is_primary).collect::<Vec<_>>()
        };
        let kinds = ["warning", "critical", "critical"];
        assert_eq!(of(&kinds, false), [false, true, false]);
        assert_eq!(of(&["warning", "none"], false), [true, false]);
        assert_eq!(of(&kinds, true), [false, false, false]);
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

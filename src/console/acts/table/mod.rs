//! Every function by which people change something, as data: what the pages of acts say and do.

mod deliveries;
mod rest;

use crate::store::catalog::{Function, Parameter, View};

/// What one function does, for people.
#[derive(Debug)]
pub(crate) struct Act {
    pub(crate) function: &'static Function,
    pub(crate) title: &'static str,
    /// The text of the button.
    pub(crate) button: &'static str,
    /// What it does. docs/SQL.md says the same.
    pub(crate) sentence: &'static str,
    /// What the page of proof says. With a number before it if the act is one on many: `14 dead
    /// letters retried`.
    pub(crate) done: &'static str,
    /// Whether its button is that of something that destroys.
    pub(crate) is_danger: bool,
    pub(crate) undo: Undo,
    pub(crate) typed: Typed,
    pub(crate) answer: Answer,
    /// What it touches.
    pub(crate) subject: Option<Subject>,
    /// What the page of proof shows.
    pub(crate) proof: Proof,
    /// The action in the audit log.
    pub(crate) action: &'static str,
    /// The page that it belongs to.
    pub(crate) page: &'static str,
    /// Filters of that page that the act implies.
    pub(crate) page_filters: &'static [(&'static str, &'static str)],
    /// The parameter whose value names a page below that one, such as the handler's.
    pub(crate) back: Option<&'static str>,
}

/// How an act can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undo {
    /// As the sentence says.
    By(&'static str),
    /// It loses nothing, so nothing has to be undone.
    Harmless,
    /// Never.
    Never,
}

/// What a person types to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Nothing.
    Nothing,
    /// The number of rows if it is above 100, or if the act cannot be undone.
    Number,
    /// The value of a parameter.
    Value(&'static str),
    /// This text.
    Word(&'static str),
}

/// What the function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing.
    Nothing,
    /// How many rows it changed.
    Changed,
    /// The id of what it made.
    Id,
    /// How many match, and how many it changed. Without `at_most` it changes nothing.
    Bulk(Bulk),
    /// What it reveals, which is shown once.
    Revealed,
}

/// An act on everything that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bulk {
    /// What is counted.
    pub(crate) one: &'static str,
    pub(crate) many: &'static str,
    /// The parameter that bounds the act to what existed at the preview.
    pub(crate) until: Option<&'static str>,
    /// Whether it does something if nothing matches.
    pub(crate) acts_on_none: bool,
}

/// The rows that an act touches, as a view shows them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) view: &'static View,
    pub(crate) key: &'static str,
    pub(crate) columns: &'static [&'static str],
    /// The states that it reads, if reading all would read the whole history.
    pub(crate) states: Option<&'static str>,
}

/// What shows that an act worked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Proof {
    /// The states of the deliveries that were changed.
    Deliveries,
    /// What became of quarantined requests.
    Quarantine(Subject),
    /// The row that the act changed, if its view still has it.
    Row(Subject),
    /// The conflict that was acknowledged, and how many are left.
    Conflicts(Option<Subject>),
    /// The states of all handlers.
    Handlers,
    /// Only the line in the audit log.
    Log,
}

/// The states of deliveries that have not ended.
pub(super) const PENDING: &str = "ready,running,retrying,scheduled,waiting,paused,retired";

/// Every act.
pub(crate) fn all() -> impl Iterator<Item = &'static Act> {
    deliveries::ACTS.iter().chain(&rest::ACTS)
}

/// The act of a function.
pub(crate) fn of(function: &str) -> Option<&'static Act> {
    all().find(|act| act.function.name == function)
}

impl Act {
    /// The parameters that the person chooses: without the reason and the number.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        let all = self.function.parameters.iter();
        all.filter(|parameter| !["why", "at_most"].contains(&parameter.name))
    }

    pub(crate) fn bulk(&self) -> Option<Bulk> {
        match self.answer {
            Answer::Bulk(bulk) => Some(bulk),
            _ => None,
        }
    }

    /// The id of what the subject is read by, among the parameters.
    pub(crate) fn key(&self) -> Option<&'static str> {
        let key = self.subject?.key;
        self.function.takes(key).then_some(key)
    }

    /// What has to be typed for so many rows, or nothing. `value` gives the value of a parameter.
    pub(crate) fn typed(
        &self,
        matching: i64,
        value: impl Fn(&str) -> Option<String>,
    ) -> Option<String> {
        match self.typed {
            Typed::Nothing => None,
            Typed::Word(word) => Some(word.to_owned()),
            Typed::Value(parameter) => value(parameter),
            Typed::Number if matching > 100 || self.undo == Undo::Never => {
                Some(matching.to_string())
            }
            Typed::Number => None,
        }
    }
}

/// Functions that change something and that the console never calls, with the reason.
#[cfg(test)]
const EXCLUDED: [(&str, &str); 15] = [
    ("airalo_expect_order", "the shop calls it with its order"),
    ("airalo_project_event", "a handler calls it for each event"),
    ("claim", "a pulling client calls it"),
    ("complete", "a pulling client calls it"),
    ("complete_many", "a pulling client calls it"),
    ("console_logout", "the console itself calls it"),
    ("console_may_take", "the console itself calls it"),
    ("console_redeem", "the console itself calls it"),
    ("console_session", "the console itself calls it"),
    ("console_ticket", "a ticket needs a login of its own"),
    ("enqueue", "an application calls it"),
    ("enqueue_many", "an application calls it"),
    ("extend_lease", "a pulling client calls it"),
    ("fail", "a pulling client calls it"),
    ("fail_many", "a pulling client calls it"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::catalog::{Caller, functions};

    #[test]
    fn every_function_that_changes_something_is_an_act_or_excluded() {
        for function in functions::ALL {
            let is_excluded = EXCLUDED.iter().any(|(name, _)| *name == function.name);
            let is_act = of(function.name).is_some();
            let changes = function.caller != Caller::Reader;
            assert_eq!(is_act || is_excluded, changes, "{}", function.name);
            assert!(!(is_act && is_excluded), "{}", function.name);
        }
        for act in all() {
            let of_people = [Caller::Person, Caller::Support, Caller::Operator];
            assert!(of_people.contains(&act.function.caller), "{act:?}");
            assert!(act.function.takes("why"), "{act:?}");
            assert_eq!(
                act.bulk().is_some(),
                act.function.takes("at_most"),
                "{act:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_undone_is_confirmed_by_typing() {
        for act in all() {
            if act.undo == Undo::Never {
                assert_ne!(act.typed, Typed::Nothing, "{}", act.function.name);
            }
            if act.bulk().is_some() {
                assert_ne!(act.typed, Typed::Nothing, "{}", act.function.name);
            }
            match act.typed {
                Typed::Value(parameter) => assert!(act.function.takes(parameter), "{act:?}"),
                Typed::Number => assert!(act.bulk().is_some(), "{act:?}"),
                _ => {}
            }
        }
        let discard = of("discard_all").expect("an act");
        assert_eq!(discard.typed(1, |_| None).as_deref(), Some("1"));
        let retry = of("retry_all").expect("an act");
        assert_eq!(retry.typed(100, |_| None), None);
        assert_eq!(retry.typed(101, |_| None).as_deref(), Some("101"));
    }

    #[test]
    fn columns_and_parameters_are_those_of_the_catalogue() {
        for act in all() {
            let mut subjects: Vec<_> = act.subject.into_iter().collect();
            if let Proof::Row(row) | Proof::Quarantine(row) | Proof::Conflicts(Some(row)) =
                act.proof
            {
                subjects.push(row);
            }
            for subject in subjects {
                for column in subject.columns.iter().chain([&subject.key]) {
                    assert!(subject.view.has(column), "{}.{column}", subject.view.name);
                }
                assert!(
                    subject.states.is_none() || subject.view.has("state"),
                    "{act:?}"
                );
            }
            let named = act.bulk().and_then(|bulk| bulk.until).or(act.back);
            assert!(
                named.is_none_or(|parameter| act.function.takes(parameter)),
                "{act:?}"
            );
        }
    }

    /// The page says what docs/SQL.md says, up to the first semicolon; more may follow.
    #[test]
    fn sentences_are_those_of_the_document() {
        let document = include_str!("../../../../docs/SQL.md");
        for act in all() {
            let start = format!("| `{}(", act.function.name);
            let Some(row) = document.lines().find(|line| line.starts_with(&start)) else {
                continue;
            };
            let cell = row.trim_end_matches(" |").rsplit(" | ").next();
            let described = cell.and_then(|cell| cell.split(';').next());
            let described = described.expect("a description");
            let sentence = act.sentence.to_lowercase();
            let is_same = match described.strip_prefix("the same for ") {
                Some(what) => sentence.contains(what),
                None => sentence.starts_with(&described.to_lowercase()),
            };
            assert!(is_same, "{}: {described}", act.function.name);
        }
    }
}

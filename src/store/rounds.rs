//! Splits a group of requests into statements.
//!
//! One statement cannot decide about a key twice if requests have two keys: the second request
//! would have to see what the first one wrote. Requests without an alias, whose keys no alias uses,
//! form one statement. Most groups consist of such requests only.

use super::{NewEvent, SourceId};
use std::collections::{HashMap, HashSet};

type Key<'a> = (SourceId, &'a str);

/// The requests of one statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// Their positions in the group.
    pub(super) rows: Vec<usize>,
    /// Whether the statement has to consider aliases. No key occurs in it twice then.
    pub(super) linked: bool,
}

/// A group, split into statements.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rounds {
    /// Run one after another.
    pub(super) rounds: Vec<Round>,
    /// The positions of a request that repeats an earlier one, and of that one. So many copies of
    /// one order need one statement.
    pub(super) repeats: Vec<(usize, usize)>,
}

impl Rounds {
    pub(super) fn of(events: &[NewEvent]) -> Self {
        let aliased = || events.iter().filter(|event| event.alias.is_some());
        let linked_keys: HashSet<Key<'_>> = aliased().flat_map(keys).collect();
        let (linked, plain): (Vec<_>, Vec<_>) = (0..events.len())
            .partition(|&row| keys(&events[row]).any(|key| linked_keys.contains(&key)));
        let mut this = Self::default();
        if !plain.is_empty() {
            this.rounds.push(Round {
                rows: plain,
                linked: false,
            });
        }
        this.link(events, linked);
        this
    }

    /// Puts each request into the first round after all rounds with a request that shares a key
    /// with it.
    fn link(&mut self, events: &[NewEvent], linked: Vec<usize>) {
        let first = self.rounds.len();
        let (mut seen, mut next) = (HashMap::new(), HashMap::<Key<'_>, usize>::new());
        for row in linked {
            let event = &events[row];
            let what = (event.source, &event.key, &event.alias, &event.fingerprint);
            if let Some(&earlier) = seen.get(&what) {
                self.repeats.push((row, earlier));
                continue;
            }
            seen.insert(what, row);
            let round = keys(event)
                .filter_map(|key| next.get(&key))
                .max()
                .copied()
                .unwrap_or(first);
            if round == self.rounds.len() {
                self.rounds.push(Round {
                    rows: Vec::new(),
                    linked: true,
                });
            }
            self.rounds[round].rows.push(row);
            next.extend(keys(event).map(|key| (key, round + 1)));
        }
    }
}

fn keys(event: &NewEvent) -> impl Iterator<Item = Key<'_>> {
    let both = [Some(&event.key), event.alias.as_ref()];
    both.into_iter()
        .flatten()
        .map(|key| (event.source, key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EventId, Fingerprint, IdempotencyKey};

    fn event(key: &str, alias: Option<&str>, fingerprint: &str) -> NewEvent {
        NewEvent {
            id: EventId(uuid::Uuid::nil()),
            source: SourceId(1),
            key: IdempotencyKey::new(key),
            alias: alias.map(IdempotencyKey::new),
            fingerprint: Some(Fingerprint::new(fingerprint)),
            window: None,
            event_type: "a.b".parse().expect("a type"),
            topic: None,
            verified_by: None,
            headers: String::new(),
            body: bytes::Bytes::new(),
        }
    }

    type Plan = (Vec<(Vec<usize>, bool)>, Vec<(usize, usize)>);

    fn rounds(events: &[NewEvent]) -> Plan {
        let Rounds { rounds, repeats } = Rounds::of(events);
        (
            rounds
                .into_iter()
                .map(|round| (round.rows, round.linked))
                .collect(),
            repeats,
        )
    }

    #[test]
    fn a_group_without_aliases_is_one_statement_whatever_its_keys() {
        let group = [
            event("a", None, "x"),
            event("a", None, "x"),
            event("a", None, "y"),
        ];
        assert_eq!(rounds(&group), (vec![(vec![0, 1, 2], false)], vec![]));
        assert_eq!(rounds(&[]), (vec![], vec![]));
    }

    #[test]
    fn requests_that_share_a_key_with_an_alias_follow_one_another() {
        let group = [
            event("other", None, "x"),
            event("id:1", None, "x"),
            event("r", Some("id:1"), "x"),
            event("r", Some("id:1"), "x"),
            event("r", Some("id:2"), "y"),
            event("s", Some("id:3"), "z"),
            event("other", None, "x"),
        ];
        let expected = vec![
            (vec![0, 6], false),
            (vec![1, 5], true),
            (vec![2], true),
            (vec![4], true),
        ];
        assert_eq!(rounds(&group), (expected, vec![(3, 2)]));
    }

    #[test]
    fn two_sources_have_keys_of_their_own() {
        let mut theirs = event("a", Some("b"), "x");
        theirs.source = SourceId(2);
        assert_eq!(
            rounds(&[event("a", Some("b"), "x"), theirs]),
            (vec![(vec![0, 1], true)], vec![])
        );
    }
}

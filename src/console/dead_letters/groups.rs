//! Dead letters by handler, reason and kind of error.

use super::super::{
    address::Address,
    row::Timestamp,
    view::{
        marks::{self, Breaks, Run},
        short,
    },
};
use super::filters::Filters;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};

/// Characters of an error that are read. Its kind is what is before the first colon.
pub(super) const HEAD: u16 = 61;

/// Deliveries of a group whose types are read.
pub(super) const SAMPLE: usize = 20;

/// Groups that a page shows.
pub(super) const SHOWN: usize = 50;

/// A row of `hookfast.dead_letters`, with the beginning of the error.
#[derive(Deserialize)]
pub(super) struct GroupRow {
    handler: String,
    reason: String,
    last_error: Option<String>,
    died_at: Timestamp,
    pub(super) delivery_id: i64,
}

impl GroupRow {
    pub(super) const COLUMNS: [&str; 5] =
        ["handler", "reason", "last_error", "died_at", "delivery_id"];
}

/// The rows behind a cursor. `None` if the cursor is behind all of them.
pub(super) fn after<'a>(rows: &'a [GroupRow], cursor: Option<&str>) -> Option<&'a [GroupRow]> {
    let position = cursor.and_then(|cursor| {
        let (died_at, delivery) = cursor.split_once('.')?;
        Some((died_at.parse::<i64>().ok()?, delivery.parse::<i64>().ok()?))
    });
    let Some(position) = position else {
        return Some(rows);
    };
    let at = rows.partition_point(|row| (row.died_at.0, row.delivery_id) >= position);
    rows.get(at..).filter(|rest| !rest.is_empty())
}

/// How many rows are newer than the page behind a cursor.
pub(super) fn newer(rows: &[GroupRow], cursor: Option<&str>) -> usize {
    rows.len() - after(rows, cursor).map_or(0, <[_]>::len)
}

/// Dead letters of one handler, that died of one reason and one kind of error.
pub(super) struct Group {
    pub(super) handler: String,
    pub(super) reason: String,
    /// What is before the first colon. Empty if the visitor sees no errors, or there is none.
    pub(super) error: String,
    pub(super) count: i64,
    pub(super) oldest: Timestamp,
    pub(super) newest: Timestamp,
    /// The newest deliveries, whose types are read.
    pub(super) sample: Vec<i64>,
    /// The types of the sample.
    types: BTreeSet<String>,
    /// The page with the filters of the group.
    pub(super) href: String,
}

impl Group {
    pub(super) fn error(&self) -> Vec<Run<'_>> {
        marks::runs(&self.error, Breaks::Mark)
    }

    pub(super) fn handler_page(&self) -> String {
        Address::handler(&self.handler).href()
    }

    /// Notes the types of those deliveries that are in the sample.
    pub(super) fn note(&mut self, types: &HashMap<i64, String>) {
        let of_sample = self.sample.iter().filter_map(|id| types.get(id));
        self.types = of_sample.cloned().collect();
    }

    /// `orders.placed, orders.paid and 3 more types`
    pub(super) fn types(&self) -> String {
        let types: Vec<_> = self.types.iter().cloned().collect();
        let listed = short::listed(&types, 2, "type");
        match self.count > SAMPLE as i64 && !types.is_empty() {
            true => format!("{listed} (newest {SAMPLE})"),
            false => listed,
        }
    }
}

/// The groups, the largest first.
pub(super) fn of(rows: &[GroupRow], filters: &Filters) -> Vec<Group> {
    let mut groups: HashMap<(&str, &str, &str), (Group, String)> = HashMap::new();
    for row in rows {
        let (error, pattern) = head(row.last_error.as_deref().unwrap_or_default());
        let (group, _) = groups
            .entry((&row.handler, &row.reason, error))
            .or_insert_with(|| {
                let group = Group {
                    handler: row.handler.clone(),
                    reason: row.reason.clone(),
                    error: error.to_owned(),
                    count: 0,
                    oldest: row.died_at,
                    newest: row.died_at,
                    sample: Vec::new(),
                    types: BTreeSet::new(),
                    href: String::new(),
                };
                (group, pattern)
            });
        group.count += 1;
        // The rows come newest first.
        if group.sample.len() < SAMPLE {
            group.sample.push(row.delivery_id);
        }
        group.oldest = group.oldest.min(row.died_at);
        group.newest = group.newest.max(row.died_at);
    }
    let mut done: Vec<_> = groups
        .iter()
        .map(|((handler, reason, _), (group, pattern))| {
            let narrowed = Address::to("/dead")
                .with("handler", handler)
                .with("reason", reason)
                .with("type", filters.r#type.as_deref().unwrap_or_default())
                .with("error", filters.error.as_ref().unwrap_or(pattern))
                .with("after", filters.after.as_deref().unwrap_or_default())
                .with("before", filters.before.as_deref().unwrap_or_default());
            Group {
                handler: group.handler.clone(),
                reason: group.reason.clone(),
                error: group.error.clone(),
                href: narrowed.href(),
                sample: group.sample.clone(),
                types: BTreeSet::new(),
                ..*group
            }
        })
        .collect();
    done.sort_by(|a, b| {
        (b.count.cmp(&a.count))
            .then_with(|| (&a.handler, &a.error, &a.reason).cmp(&(&b.handler, &b.error, &b.reason)))
    });
    done
}

/// What is before the first colon, and the pattern of ILIKE that matches such errors.
fn head(error: &str) -> (&str, String) {
    let (head, rest) = match error.split_once(':') {
        Some((head, _)) => (head, ":%"),
        None if error.chars().count() < usize::from(HEAD) => (error, ""),
        None => (error, "%"),
    };
    if head.is_empty() {
        return ("", String::new());
    }
    let escaped = head
        .replace('\\', r"\\")
        .replace('%', r"\%")
        .replace('_', r"\_");
    (head, escaped + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(handler: &str, reason: &str, error: Option<&str>, died_at: i64) -> GroupRow {
        GroupRow {
            handler: handler.to_owned(),
            reason: reason.to_owned(),
            last_error: error.map(str::to_owned),
            died_at: Timestamp(died_at),
            delivery_id: died_at,
        }
    }

    #[test]
    fn a_page_begins_behind_its_cursor() {
        let rows = [9, 7, 3].map(|at| row("shop", "rejected", None, at));
        let of = |cursor| {
            after(&rows, cursor)
                .map(|rows| rows.iter().map(|row| row.delivery_id).collect::<Vec<_>>())
        };
        assert_eq!(of(None), Some(vec![9, 7, 3]));
        assert_eq!(of(Some("9.9")), Some(vec![7, 3]));
        assert_eq!(of(Some("8.1")), Some(vec![7, 3]));
        assert_eq!(of(Some("x")), Some(vec![9, 7, 3]));
        assert_eq!(of(Some("3.3")), None);
    }

    #[test]
    fn errors_are_grouped_by_their_first_words() {
        let groups = of(
            &[
                row("shop", "attempts_exhausted", Some("status 500: a"), 2),
                row("shop", "attempts_exhausted", Some("status 500: b"), 9),
                row("shop", "rejected", Some("status 500: c"), 3),
                row("books", "rejected", Some("50%_off\\"), 3),
                row("books", "rejected", None, 4),
            ],
            &Filters::default(),
        );
        let shown: Vec<_> = groups
            .iter()
            .map(|group| (group.count, group.error.as_str(), group.href.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                (
                    2,
                    "status 500",
                    "/dead?handler=shop&reason=attempts_exhausted&error=status+500%3A%25"
                ),
                (1, "", "/dead?handler=books&reason=rejected"),
                (
                    1,
                    "50%_off\\",
                    r"/dead?handler=books&reason=rejected&error=50%5C%25%5C_off%5C%5C"
                ),
                (
                    1,
                    "status 500",
                    "/dead?handler=shop&reason=rejected&error=status+500%3A%25"
                ),
            ]
        );
        assert_eq!((groups[0].oldest.0, groups[0].newest.0), (2, 9));
    }

    #[test]
    fn a_group_names_the_types_of_its_newest_deliveries() {
        let rows: Vec<_> = (0..25)
            .rev()
            .map(|at| row("shop", "rejected", None, at))
            .collect();
        let mut group = of(&rows, &Filters::default()).remove(0);
        assert_eq!(group.sample, (5..25).rev().collect::<Vec<_>>());
        group.note(&HashMap::from([
            (5, "b".to_owned()),
            (6, "a".to_owned()),
            (4, "c".to_owned()),
        ]));
        assert_eq!(group.types(), "a, b (newest 20)");
        group.note(&HashMap::new());
        assert_eq!(group.types(), "", "their events are gone");
    }

    #[test]
    fn long_errors_match_by_their_beginning() {
        let long = "x".repeat(usize::from(HEAD));
        assert_eq!(head(&long).1, format!("{long}%"));
        assert_eq!(head(": no head"), ("", String::new()));
        assert_eq!(head("timeout"), ("timeout", "timeout".to_owned()));
    }
}

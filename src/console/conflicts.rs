//! Conflicts: which are acknowledged, how many are left, and which is next.

use super::{address::Address, row::Timestamp, view::number};
use crate::store::catalog::{functions, views};
use crate::store::{AsVisitor, SqlArg, ViewQuery, VisitError};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// Conflicts that a page reads to find those that are left.
const SCAN: u32 = 5_000;
/// Those that are left are counted up to this number.
const COUNTED: u32 = 1_000;

#[derive(Deserialize)]
struct IdRow {
    event_id: String,
}

/// Which conflicts are read.
#[derive(Default)]
pub(super) struct ConflictFilter {
    pub(super) source: Option<String>,
    pub(super) r#type: Option<String>,
    pub(super) after: Option<SqlArg>,
    pub(super) before: Option<SqlArg>,
    /// The conflict that is shown, which is not the next one.
    pub(super) except: Option<String>,
}

/// The conflicts that nobody has acknowledged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unacknowledged {
    pub(super) count: i64,
    /// The newest of them, or the one that follows the conflict that is shown.
    pub(super) next: Option<String>,
    /// Whether older conflicts were not read.
    is_partial: bool,
}

impl Unacknowledged {
    /// `3 conflicts`.
    pub(super) fn counted(&self) -> String {
        let noun = if self.count == 1 {
            "conflict"
        } else {
            "conflicts"
        };
        format!("{} {noun}", number::capped(self.count, COUNTED.into()))
    }

    /// How many of a source are left.
    pub(super) fn sentence(&self, source: Option<&str>) -> String {
        let of = source.map_or_else(String::new, |source| format!(" of {source}"));
        let among = match self.is_partial {
            true => format!(" among the newest {}", number::grouped(SCAN.into())),
            false => String::new(),
        };
        match self.count {
            0 => format!("No conflict{of} is left{among}."),
            1 => format!("1 conflict{of} is left{among}."),
            _ => format!("{}{of} are left{among}.", self.counted()),
        }
    }

    /// The links to the next one, and to all of a source if the visitor may acknowledge them.
    pub(super) fn links(&self, source: Option<&str>, may: bool) -> Vec<(String, String)> {
        let Some(next) = &self.next else {
            return Vec::new();
        };
        let mut links = vec![("Next conflict".to_owned(), Address::event(next).href())];
        if may {
            let all = Address::act(functions::ACKNOWLEDGE_CONFLICTS.name)
                .with("source", source.unwrap_or_default());
            links.push((format!("Acknowledge {}", self.counted()), all.href()));
        }
        links
    }
}

/// Reads a bounded number of conflicts, the newest first.
pub(super) async fn unacknowledged(
    visit: &mut AsVisitor,
    filter: ConflictFilter,
) -> Result<Unacknowledged, VisitError> {
    let except = filter.except;
    let of_times = ViewQuery::of(&views::CONFLICTS)
        .columns(&["event_id"])
        .ids_from("event_id", filter.after)
        .ids_below("event_id", filter.before);
    let ids = of_times
        .clone()
        .among(SCAN)
        .is("source", filter.source.map(SqlArg::text))
        .of_type("type", filter.r#type.as_deref())
        .is_null("acknowledged_at")
        .limit(COUNTED + 1);
    let ids: Vec<IdRow> = visit.rows(ids).await?;
    let older: Vec<IdRow> = visit.rows(of_times.skip(SCAN).limit(1)).await?;
    Ok(Unacknowledged {
        count: i64::try_from(ids.len()).unwrap_or_default(),
        next: next(
            ids.iter().map(|row| row.event_id.as_str()),
            except.as_deref(),
        ),
        is_partial: !older.is_empty(),
    })
}

/// The first that is older than the one that is shown; after the oldest, the newest other one.
fn next<'a>(
    mut ids: impl Iterator<Item = &'a str> + Clone,
    except: Option<&str>,
) -> Option<String> {
    let found = match except {
        None => ids.next(),
        Some(shown) => {
            let older = ids.clone().find(|id| *id < shown);
            older.or_else(|| ids.find(|id| *id != shown))
        }
    };
    found.map(str::to_owned)
}

/// Those of these conflicts that somebody has acknowledged.
pub(super) async fn acknowledged(
    visit: &mut AsVisitor,
    event_ids: &[String],
) -> Result<HashSet<String>, VisitError> {
    if event_ids.is_empty() {
        return Ok(HashSet::new());
    }
    let query = ViewQuery::of(&views::CONFLICTS)
        .columns(&["event_id"])
        .ids("event_id", event_ids)
        .is_not_null("acknowledged_at");
    let rows: Vec<IdRow> = visit.rows(query).await?;
    Ok(rows.into_iter().map(|row| row.event_id).collect())
}

/// What tells a conflict from others.
#[derive(Debug, Deserialize)]
pub(super) struct Conflict {
    event_id: String,
    /// As the visitor sees it: an alert has only a mask in its place.
    pub(super) idempotency_key: Option<String>,
    acknowledged_at: Option<Timestamp>,
}

impl Conflict {
    pub(super) fn is_acknowledged(&self) -> bool {
        self.acknowledged_at.is_some()
    }
}

/// These conflicts by their ids. The key of each costs the parsing of its body.
pub(super) async fn by_id(
    visit: &mut AsVisitor,
    event_ids: &[String],
) -> Result<HashMap<String, Conflict>, VisitError> {
    if event_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let query = ViewQuery::of(&views::CONFLICTS)
        .columns(&["event_id", "idempotency_key", "acknowledged_at"])
        .ids("event_id", event_ids);
    let rows: Vec<Conflict> = visit.rows(query).await?;
    let by_id = rows.into_iter().map(|row| (row.event_id.clone(), row));
    Ok(by_id.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(count: i64, is_partial: bool) -> Unacknowledged {
        Unacknowledged {
            count,
            next: (count > 0).then(|| "a".to_owned()),
            is_partial,
        }
    }

    #[test]
    fn the_sentence_counts_what_is_left() {
        let of = Some("paywise");
        for (count, is_partial, expected) in [
            (0, false, "No conflict of paywise is left."),
            (1, false, "1 conflict of paywise is left."),
            (2, false, "2 conflicts of paywise are left."),
            (
                1_001,
                true,
                "1,000+ conflicts of paywise are left among the newest 5,000.",
            ),
        ] {
            assert_eq!(left(count, is_partial).sentence(of), expected);
        }
        assert_eq!(left(2, false).sentence(None), "2 conflicts are left.");
    }

    #[test]
    fn the_next_conflict_is_another_one() {
        let of = |ids: &[&str], except| next(ids.iter().copied(), except);
        assert_eq!(of(&["c", "b", "a"], None).as_deref(), Some("c"));
        assert_eq!(of(&["c", "b", "a"], Some("b")).as_deref(), Some("a"));
        assert_eq!(of(&["c", "b", "a"], Some("a")).as_deref(), Some("c"));
        assert_eq!(of(&["a"], Some("a")), None);
    }

    #[test]
    fn the_next_conflict_is_linked_and_the_act_only_for_those_who_may() {
        assert!(left(0, false).links(Some("paywise"), true).is_empty());
        let addresses = |may| -> Vec<String> {
            let links = left(2, false).links(Some("paywise"), may);
            links.into_iter().map(|(_, address)| address).collect()
        };
        assert_eq!(addresses(false), ["/events/a"]);
        assert_eq!(
            addresses(true),
            ["/events/a", "/act/acknowledge_conflicts?source=paywise"]
        );
    }
}

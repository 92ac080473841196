//! Hints at existing types, for lists that are empty because no event has the requested type.

use super::session::Session;
use crate::cli::table;
use crate::store::{ViewQuery, catalog::View};
use serde_json::Value;
use std::collections::BTreeSet;

/// How many of the newest rows are searched for types: few enough to be fast in a table of any
/// size.
const NEWEST: u32 = 2000;

/// The maximum number of types in a hint.
const NAMED: usize = 8;

impl Session {
    /// The message for an empty list. If the list was filtered by type, it hints at existing types.
    pub(super) async fn none_of_type(
        &mut self,
        view: &'static View,
        none: &str,
        wanted: Option<&str>,
        list: ViewQuery,
    ) -> anyhow::Result<String> {
        let Some(wanted) = wanted else {
            return Ok(none.to_owned());
        };
        if !self.console.list(list.limit(1)).await?.is_empty() {
            return Ok(none.to_owned());
        }
        let newest = ViewQuery::of(view).columns(&["type"]);
        let rows = self.console.list(newest.limit(NEWEST)).await?;
        let types: BTreeSet<&str> = rows.iter().filter_map(|row| row["type"].as_str()).collect();
        Ok(hint(none, wanted, &types))
    }
}

fn hint(none: &str, wanted: &str, types: &BTreeSet<&str>) -> String {
    if types.is_empty() {
        return none.to_owned();
    }
    let words = wanted.trim_end_matches(['*', '.']);
    let alike: Vec<&str> = types
        .iter()
        .copied()
        .filter(|known| !words.is_empty() && known.contains(words))
        .collect();
    let (lead, named) = if alike.is_empty() {
        ("existing types", types.iter().copied().collect())
    } else {
        ("types are written in full; existing types", alike)
    };
    let more = if named.len() > NAMED { ", …" } else { "" };
    let named = named
        .iter()
        .take(NAMED)
        .map(|name| table::cell("type", &Value::from(*name)))
        .collect::<Vec<_>>();
    format!(
        "{none} of type '{}'\nhint: {lead}: {}{more}",
        table::plain(wanted, false),
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_similar_types_or_else_all() {
        let types = BTreeSet::from([
            "stripe.invoice.paid",
            "stripe.invoice.voided",
            "github.push",
        ]);
        let hint = |wanted| hint("no events", wanted, &types);
        assert!(
            hint("invoice.paid").ends_with("existing types: stripe.invoice.paid"),
            "{}",
            hint("invoice.paid")
        );
        assert!(
            hint("invoice.*")
                .ends_with("existing types: stripe.invoice.paid, stripe.invoice.voided")
        );
        assert!(hint("airalo.*").contains(
            "hint: existing types: github.push, stripe.invoice.paid, stripe.invoice.voided"
        ));
        assert_eq!(super::hint("no events", "x", &BTreeSet::new()), "no events");
    }
}

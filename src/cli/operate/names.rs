//! Messages for lists that are empty because the requested handler or source does not exist.

use super::session::Session;
use crate::cli::table;
use crate::store::{ViewQuery, catalog::views};

impl Session {
    /// The message for an empty list. If the list was filtered by a handler or source that does not
    /// exist, it names those that do.
    pub(super) async fn none_of_name(
        &mut self,
        names: &[(&'static str, String)],
        none: &str,
    ) -> anyhow::Result<String> {
        for (kind, wanted) in names {
            let known = if *kind == "handler" {
                ViewQuery::of(&views::HANDLER_HEALTH).columns(&["handler"])
            } else {
                ViewQuery::of(&views::SOURCE_HEALTH).columns(&["source"])
            };
            let known = self.console.list(known).await?;
            let known: Vec<_> = known.iter().filter_map(|row| row[*kind].as_str()).collect();
            if !known.contains(&wanted.as_str()) {
                let wanted = table::plain(wanted, false);
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                return Ok(format!(
                    "{none}: no {kind} is named '{wanted}'\nhint: existing {kind}s: {known}"
                ));
            }
        }
        Ok(none.to_owned())
    }
}

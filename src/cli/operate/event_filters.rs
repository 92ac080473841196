//! The filters of commands that change one event by its id, or all events that match.

use super::time_args::When;
use crate::store::{FunctionCall, SqlArg};

// Each filter conflicts with the id: clap does not require `--all` beside an argument that excludes it.
#[derive(clap::Args)]
#[group(multiple = true, requires = "all", conflicts_with = "event")]
pub(super) struct EventFilters {
    /// Only this source
    #[arg(long)]
    source: Option<String>,
    /// Only this type, or a pattern such as airalo.*
    #[arg(long = "type", value_name = "TYPE")]
    of_type: Option<String>,
    /// Only those received at or after this time: 2h (ago), 7d, or a time such as 2026-07-01 12:00
    /// (UTC)
    #[arg(long, value_name = "TIME")]
    after: Option<When>,
    /// Only those received before this time
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
}

impl EventFilters {
    /// Adds them to the call of the function for all that match.
    pub(super) fn add_to(self, call: FunctionCall) -> FunctionCall {
        call.with("source", self.source.map(SqlArg::text))
            .with("type", self.of_type.map(SqlArg::text))
            .with("received_after", self.after.as_ref().map(When::past))
            .with("received_before", self.before.as_ref().map(When::past))
    }
}

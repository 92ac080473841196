//! What the statements of the console read, by the server's own account: `auto_explain`, loaded for the console's
//! login alone.

use super::super::{Site, run};
use crate::support::postgres::server_log_from;
use serde_json::Value;

/// A page counts up to 10,000 rows, and searches at most 20,000, each with the rows of two sources.
const ROWS: f64 = 41_000.0;
/// The blocks of one statement.
const BLOCKS: u64 = 100_000;

/// Reads the plans that the server has logged.
pub(super) struct Recorder {
    position: u64,
}

/// The plan of a statement that has run. Statements inside functions have plans of their own.
pub(super) struct Plan {
    query: String,
    root: Value,
}

impl Recorder {
    pub(super) async fn start(site: &Site) -> Self {
        let settings = [
            "session_preload_libraries = 'auto_explain'",
            // Inside functions thousands of statements read a row each. What reads too many rows takes longer.
            "auto_explain.log_min_duration = 1",
            "auto_explain.log_analyze = on",
            "auto_explain.log_timing = off",
            "auto_explain.log_buffers = on",
            "auto_explain.log_nested_statements = on",
            "auto_explain.log_format = 'json'",
            "log_min_error_statement = 'panic'",
        ];
        for setting in settings {
            run(site, format!("ALTER ROLE \"{}\" SET {setting}", site.login)).await;
        }
        let mut recorder = Self { position: 0 };
        recorder.skip().await;
        recorder
    }

    /// Leaves out what was logged until now.
    pub(super) async fn skip(&mut self) {
        self.position = server_log_from(self.position).await.1;
    }

    /// The plans that were logged since the last call.
    pub(super) async fn plans(&mut self) -> Vec<Plan> {
        let (log, end) = server_log_from(self.position).await;
        self.position = end;
        let mut plans = Vec::new();
        let mut lines = log.lines().peekable();
        while let Some(line) = lines.next() {
            if !line.ends_with(" plan:") {
                continue;
            }
            let mut json = String::new();
            while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
                json += line;
            }
            let plan: Value = serde_json::from_str(&json).expect("a plan");
            plans.push(Plan {
                query: plan["Query Text"].as_str().unwrap_or_default().to_owned(),
                root: plan["Plan"].clone(),
            });
        }
        plans
    }
}

impl Plan {
    /// What it reads beyond the bounds.
    pub(super) fn excesses(&self) -> Vec<String> {
        let mut found = Vec::new();
        rows(&self.root, &mut found);
        let blocks =
            number(&self.root, "Shared Hit Blocks") + number(&self.root, "Shared Read Blocks");
        if blocks > BLOCKS as f64 {
            found.push(format!("{blocks} blocks"));
        }
        let query: String = self
            .query
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(300)
            .collect();
        found
            .iter()
            .map(|text| format!("{text} in {query}"))
            .collect()
    }
}

fn number(node: &Value, name: &str) -> f64 {
    node[name].as_f64().unwrap_or(0.0)
}

/// The nodes that read too many rows, whether they return or reject them.
fn rows(node: &Value, found: &mut Vec<String>) {
    let rejected = [
        "Rows Removed by Filter",
        "Rows Removed by Index Recheck",
        "Rows Removed by Join Filter",
    ];
    let rejected: f64 = rejected.iter().map(|name| number(node, name)).sum();
    let read = (number(node, "Actual Rows") + rejected) * number(node, "Actual Loops");
    if read > ROWS {
        found.push(format!(
            "{} {} reads {read} rows",
            node["Node Type"].as_str().unwrap_or_default(),
            node["Relation Name"].as_str().unwrap_or_default()
        ));
    }
    node["Plans"]
        .as_array()
        .into_iter()
        .flatten()
        .for_each(|child| rows(child, found));
}

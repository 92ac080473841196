//! The parts that all commands for operators share: connect, print, confirm bulk changes.

use crate::cli::{
    process::{complain, database_url_here, say, variable},
    table,
    words::counted,
};
use crate::store::{Database, FunctionCall, OperatorConnection, SqlArg, ViewQuery};
use serde_json::Value;
use std::{
    io::{BufRead, IsTerminal},
    process::ExitCode,
};

#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Output {
    /// Print one JSON object per line, with all members
    #[arg(long)]
    json: bool,
}

impl Output {
    pub(in crate::cli) fn is_json(self) -> bool {
        self.json
    }
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct Page {
    /// Maximum number of rows
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Start after this row: the last ID of the previous page
    #[arg(long, value_name = "ID")]
    older_than: Option<String>,
}

impl Page {
    /// The start of the list, by event id.
    pub(super) fn event(&self) -> Option<SqlArg> {
        self.older_than.as_ref().map(SqlArg::id)
    }

    /// The start of the list, by number.
    pub(super) fn number(&self) -> anyhow::Result<Option<SqlArg>> {
        let parse = |text: &String| {
            text.parse()
                .map_err(|_| anyhow::anyhow!("--older-than takes a number here, not '{text}'"))
        };
        Ok(self
            .older_than
            .as_ref()
            .map(parse)
            .transpose()?
            .map(SqlArg::number))
    }
}

#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Confirmation {
    /// Do it without confirmation; required without a terminal
    #[arg(long)]
    pub(super) yes: bool,
}

/// The result of a bulk command.
pub(super) enum Bulk {
    /// Nothing matched.
    Nothing,
    /// The confirmation was declined, so nothing was changed.
    Declined,
    /// Done, with the result of the function.
    Done(Value),
}

/// How a preview shows some of the rows that a function would change. The function returns only
/// their ids. They are read through a view, which hides from readers what they may not see.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    rows: ViewQuery,
    id: &'static str,
    columns: &'static [&'static str],
}

impl Sample {
    /// The rows of a query with these ids, as a table of these columns.
    pub(super) fn new(rows: ViewQuery, id: &'static str, columns: &'static [&'static str]) -> Self {
        Self { rows, id, columns }
    }
}

/// A connection to the database, and how to print.
pub(in crate::cli) struct Session {
    pub(in crate::cli) console: OperatorConnection,
    output: Output,
}

pub(in crate::cli) async fn open(output: Output) -> anyhow::Result<Session> {
    let database: Database = database_url_here()?.parse()?;
    Ok(Session {
        console: OperatorConnection::open(&database).await?,
        output,
    })
}

/// The maximum width of a table: that of the terminal. Output to a pipe or a file is not limited.
pub(in crate::cli) fn width() -> Option<usize> {
    width_of(&std::io::stdout())
}

fn width_of(output: &impl IsTerminal) -> Option<usize> {
    if !output.is_terminal() {
        return None;
    }
    let columns = variable("COLUMNS").and_then(|columns| columns.parse().ok());
    let columns =
        columns.or_else(|| terminal_size::terminal_size().map(|(width, _)| width.0.into()));
    columns.filter(|columns| *columns >= 20).or(Some(120))
}

impl Session {
    pub(super) fn json(&self) -> bool {
        self.output.json
    }

    /// Prints rows as a table of these columns, or as JSON. If there are no rows, it prints `none`.
    pub(in crate::cli) fn print(&self, rows: &[Value], columns: &[&str], none: &str) {
        if rows.is_empty() {
            complain(none);
        } else if self.output.json {
            rows.iter().for_each(|row| say(&row.to_string()));
        } else {
            say(table::rows(rows, columns, width()).trim_end());
        }
    }

    /// Prints one row with a line for each member, or as JSON.
    pub(super) fn print_record(&self, row: &Value, members: &[&str]) {
        if self.output.json {
            say(&row.to_string());
        } else {
            say(table::record(row, members).trim_end());
        }
    }

    /// Prepares a row for people: the body as text, and only if there is no payload, which has the
    /// same content.
    pub(super) fn with_body(&self, row: &Value) -> Value {
        let mut row = row.clone();
        if !self.output.json {
            let body = if row["payload"].is_null() {
                row["body"].as_str().map(readable)
            } else {
                None
            };
            row["body"] = body.map_or(Value::Null, Value::String);
        }
        row
    }

    /// Prints further rows of the same subject under a heading, if there are any.
    pub(super) fn print_below(&self, heading: &str, rows: &[Value], columns: &[&str]) {
        if !rows.is_empty() {
            say(&format!(
                "\n{heading}\n{}",
                table::rows(rows, columns, width()).trim_end()
            ));
        }
    }

    /// Prints a page of a list, and the command for the next page if there is one. `key` is the
    /// member that pages are cut by.
    pub(super) async fn page(
        mut self,
        list: ViewQuery,
        page: &Page,
        key: &str,
        columns: &[&str],
        none: &str,
    ) -> anyhow::Result<ExitCode> {
        let names = list.names().to_vec();
        // Fetch one more than is shown, to know whether there is a next page.
        let mut rows = self.console.list(list.limit(page.limit + 1)).await?;
        let more = rows.len() > page.limit as usize;
        rows.truncate(page.limit as usize);
        self.print_all(&rows, columns, none, &names).await?;
        if let Some(last) = rows.last().filter(|_| more) {
            complain(&format!(
                "next page: {}",
                next_page(std::env::args().skip(1), &table::cell(key, &last[key]))
            ));
        }
        self.done().await
    }

    /// Prints all rows of a list.
    pub(in crate::cli) async fn all(
        mut self,
        list: ViewQuery,
        columns: &[&str],
        none: &str,
    ) -> anyhow::Result<ExitCode> {
        let names = list.names().to_vec();
        let rows = self.console.list(list).await?;
        self.print_all(&rows, columns, none, &names).await?;
        self.done().await
    }

    /// Like [`Session::print`]; if there are no rows, it also names a handler or source that does not
    /// exist.
    async fn print_all(
        &mut self,
        rows: &[Value],
        columns: &[&str],
        none: &str,
        names: &[(&'static str, String)],
    ) -> anyhow::Result<()> {
        match rows {
            [] => complain(&self.none_of_name(names, none).await?),
            rows => self.print(rows, columns, none),
        }
        Ok(())
    }

    /// Runs one function, and prints what was done as text or as `{"done": …}`.
    pub(in crate::cli) async fn act(
        mut self,
        call: FunctionCall,
        done: &str,
    ) -> anyhow::Result<ExitCode> {
        self.console.act(call).await?;
        self.report(serde_json::json!({ "done": done }), done);
        self.done().await
    }

    /// Prints a result as JSON, or as text.
    pub(super) fn report(&self, answer: Value, words: &str) {
        say(&if self.output.json {
            answer.to_string()
        } else {
            table::plain(words, true)
        });
    }

    /// Previews, confirms and runs a bulk function like [`Session::try_bulk`], and prints how many
    /// were changed.
    pub(super) async fn bulk(
        mut self,
        call: FunctionCall,
        confirmation: Confirmation,
        verb: &str,
        what: &str,
        sample: Sample,
    ) -> anyhow::Result<ExitCode> {
        let done = match self
            .try_bulk(call, confirmation, verb, what, sample)
            .await?
        {
            Bulk::Nothing => return self.done().await,
            Bulk::Declined => return self.close(ExitCode::FAILURE).await,
            Bulk::Done(done) => done,
        };
        let words = match (done["replay_id"].as_i64(), done["changed"].as_i64()) {
            (Some(replay), _) => format!(
                "replay {replay} of {} started; follow it with: hookfast replays watch {replay}",
                counted(&done["matching"], what)
            ),
            (None, changed) => format!("{verb}: {}", counted(changed.unwrap_or(0), what)),
        };
        self.report(done, &words);
        self.done().await
    }

    /// Previews, confirms and runs a bulk function. Such a function reports what matches, and
    /// changes it only if it is given `at_most`. `verb` and `what` describe the change: "retry",
    /// "dead letters".
    pub(super) async fn try_bulk(
        &mut self,
        call: FunctionCall,
        confirmation: Confirmation,
        verb: &str,
        what: &str,
        sample: Sample,
    ) -> anyhow::Result<Bulk> {
        let preview = self.preview(call.clone(), &sample).await?;
        if preview["matching"] == 0 {
            complain(&format!(
                "no {what} match{}; nothing was changed",
                skipped(&preview)
            ));
            return Ok(Bulk::Nothing);
        }
        if !self.preview_and_confirm(&preview, confirmation, verb, what, sample.columns)? {
            return Ok(Bulk::Declined);
        }
        let at_most = preview["matching"].as_i64().map(SqlArg::number);
        let call = call.with("at_most", at_most);
        Ok(Bulk::Done(self.call_with_sample(call, &preview).await?))
    }

    /// Calls a bulk function without `at_most`, and reads the sample that it names.
    pub(super) async fn preview(
        &mut self,
        call: FunctionCall,
        sample: &Sample,
    ) -> anyhow::Result<Value> {
        let mut preview = self.one_row(call).await?;
        let ids: Vec<String> = preview["sample_ids"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned))
            .collect();
        let rows = sample.rows.clone().ids(sample.id, &ids).order(sample.id);
        preview["sample"] = self.console.list(rows).await?.into();
        Ok(without_ids(preview))
    }

    /// Calls a bulk function with `at_most`. Its result has the sample of the preview, since the
    /// views may no longer have these rows.
    pub(super) async fn call_with_sample(
        &mut self,
        call: FunctionCall,
        preview: &Value,
    ) -> anyhow::Result<Value> {
        let mut done = self.one_row(call).await?;
        done["sample"] = preview["sample"].clone();
        Ok(without_ids(done))
    }

    async fn one_row(&mut self, call: FunctionCall) -> anyhow::Result<Value> {
        let row = self.console.call(call).await?.pop();
        row.ok_or_else(|| anyhow::anyhow!("the function returned no row"))
    }

    /// Prints how many would be changed, with a sample, and asks for confirmation.
    pub(super) fn preview_and_confirm(
        &self,
        preview: &Value,
        confirmation: Confirmation,
        verb: &str,
        what: &str,
        columns: &[&str],
    ) -> anyhow::Result<bool> {
        let matching = preview["matching"].as_u64().unwrap_or(0);
        complain(&format!(
            "would {verb} {}{}",
            counted(matching, what),
            skipped(preview)
        ));
        if let Some(sample) = preview["sample"]
            .as_array()
            .filter(|sample| !sample.is_empty())
        {
            complain(table::rows(sample, columns, width_of(&std::io::stderr())).trim_end());
            if matching > sample.len() as u64 {
                complain(&format!("… and {} more", matching - sample.len() as u64));
            }
        }
        confirmed(confirmation)
    }

    pub(in crate::cli) async fn done(self) -> anyhow::Result<ExitCode> {
        self.close(ExitCode::SUCCESS).await
    }

    pub(super) async fn close(self, code: ExitCode) -> anyhow::Result<ExitCode> {
        self.console.close().await;
        Ok(code)
    }
}

/// The result of a bulk function without the ids of its sample, whose rows it contains.
fn without_ids(mut result: Value) -> Value {
    if let Some(members) = result.as_object_mut() {
        members.remove("sample_ids");
    }
    result
}

/// Decodes the bytes in Postgres's JSON to text if they are text.
fn readable(bytes: &str) -> String {
    let decoded = bytes
        .strip_prefix("\\x")
        .and_then(|digits| hex::decode(digits).ok());
    decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| bytes.to_owned())
}

/// Rows that are not changed because they are still needed.
fn skipped(preview: &Value) -> String {
    let alone = [("still_pending", "still pending"), ("held", "held")].map(|(column, words)| {
        let count = preview[column].as_u64().filter(|count| *count > 0)?;
        Some(format!("{count} {words}"))
    });
    let alone: Vec<_> = alone.into_iter().flatten().collect();
    if alone.is_empty() {
        String::new()
    } else {
        format!(" (skipped: {})", alone.join(", "))
    }
}

/// Asks for confirmation on a terminal. Without one, the answer is no.
pub(in crate::cli) fn confirmed(confirmation: Confirmation) -> anyhow::Result<bool> {
    if confirmation.yes {
        return Ok(true);
    }
    let input = std::io::stdin();
    if !input.is_terminal() {
        complain("not a terminal, so nothing was changed\nhint: --yes confirms");
        return Ok(false);
    }
    complain("Type yes to continue");
    let mut line = String::new();
    input.lock().read_line(&mut line)?;
    let agreed = line.trim().eq_ignore_ascii_case("yes");
    if !agreed {
        complain("nothing was changed");
    }
    Ok(agreed)
}

/// The same command with the start of the next page.
fn next_page(arguments: impl Iterator<Item = String>, last: &str) -> String {
    let mut command = "hookfast".to_owned();
    let mut skip = false;
    for argument in arguments {
        if std::mem::take(&mut skip) {
            continue;
        }
        skip = argument == "--older-than";
        if skip || argument.starts_with("--older-than=") {
            continue;
        }
        let bare = !argument.is_empty()
            && argument
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.:/=,@%+".contains(c));
        let quoted = if bare {
            argument
        } else {
            format!("'{}'", argument.replace('\'', "'\\''"))
        };
        command = format!("{command} {quoted}");
    }
    format!("{command} --older-than {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_same_command_from_the_end_of_this_one() {
        let next = |command: &str| next_page(command.split('|').map(str::to_owned), "42");
        assert_eq!(next("deliveries"), "hookfast deliveries --older-than 42");
        assert_eq!(
            next("audit|--older-than|7|--limit|3"),
            "hookfast audit --limit 3 --older-than 42"
        );
        assert_eq!(
            next("events|list|--older-than=7|--after|2 days' ago"),
            "hookfast events list --after '2 days'\\'' ago' --older-than 42"
        );
    }
}

//! `hookfast status`.

use super::session::{self, Output, Session};
use crate::cli::{
    process::{complain, say},
    table,
};
use crate::store::FunctionCall;
use crate::store::catalog::functions;
use serde_json::{Value, json};
use std::{io::IsTerminal, process::ExitCode, time::Duration};

#[derive(clap::Args)]
pub(in crate::cli) struct Status {
    /// Repeat every two seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    output: Output,
}

const EVERY: Duration = Duration::from_secs(2);

impl Status {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut opened = session::open(self.output).await?;
        let mut code = draw(&mut opened, false).await?;
        if !self.watch {
            return opened.close(code).await;
        }
        let mut session = Some(opened);
        let stop = tokio::signal::ctrl_c();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                _ = &mut stop => break,
                () = tokio::time::sleep(EVERY) => {}
            }
            // Keep running if the database is unreachable: the status has to show that, and also
            // its return.
            let drawn = match &mut session {
                Some(session) => draw(session, true).await,
                None => match session::open(self.output).await {
                    Ok(opened) => draw(session.insert(opened), true).await,
                    Err(error) => Err(error),
                },
            };
            code = match drawn {
                Ok(code) => code,
                Err(error) => {
                    session = None;
                    complain(&format!("UNHEALTHY: {error:#}"));
                    ExitCode::FAILURE
                }
            };
        }
        match session {
            Some(session) => session.close(code).await,
            None => Ok(code),
        }
    }
}

async fn draw(session: &mut Session, again: bool) -> anyhow::Result<ExitCode> {
    let rows = session
        .console
        .call(FunctionCall::of(&functions::STATUS))
        .await?;
    let bad: Vec<&Value> = rows
        .iter()
        .filter(|row| row["state"] == "critical")
        .collect();
    let line = headline(&bad);
    if session.json() {
        let state = if bad.is_empty() { "ok" } else { "critical" };
        say(
            &json!({ "area": "all", "subject": "all", "state": state, "message": line })
                .to_string(),
        );
    } else {
        if again {
            // On a terminal, overwrite the previous screen; in a file, append.
            say(if std::io::stdout().is_terminal() {
                "\u{1b}[H\u{1b}[2J"
            } else {
                ""
            });
        }
        say(&format!("{}\n", table::plain(&line, false)));
    }
    session.print(
        &rows,
        &["state", "area", "subject", "message"],
        "the database returned no status",
    );
    Ok(if bad.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn headline(bad: &[&Value]) -> String {
    if bad.is_empty() {
        return "OK: intake is safe and work is moving".to_owned();
    }
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let named: Vec<_> = bad
        .iter()
        .map(|row| format!("{} {}", text(row, "area"), text(row, "subject")))
        .collect();
    format!("UNHEALTHY: {}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_level_and_the_areas() {
        assert_eq!(headline(&[]), "OK: intake is safe and work is moving");
        let bad = [
            json!({"area": "source", "subject": "airalo"}),
            json!({"area": "handler", "subject": "shop"}),
        ];
        assert_eq!(
            headline(&bad.iter().collect::<Vec<_>>()),
            "UNHEALTHY: source airalo, handler shop"
        );
    }
}

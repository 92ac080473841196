//! `hookfast check`.

use super::{
    ConfigFile,
    declare::{config, declare},
    process::{chain, database_url, say},
};
use crate::store::{Database, Inspection, MigrateError, check_schema, inspect};
use std::process::ExitCode;

/// Reads the configuration, tries the database, and says what is wrong and what to do.
#[derive(clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    file: ConfigFile,
}

/// What was found, worst last.
enum Finding {
    Good(String),
    Note(String),
    Warning(String),
    Wrong(String),
}

impl Check {
    /// Ends with 1 where anything is wrong.
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut findings = self.configuration();
        match database_url().and_then(|url| Ok(url.parse::<Database>()?)) {
            Ok(database) => findings.extend(database_findings(&database).await),
            Err(error) => findings.push(Finding::Wrong(error.to_string())),
        }
        let mut wrong = 0;
        for finding in &findings {
            match finding {
                Finding::Good(text) => say(&format!("ok     {text}")),
                Finding::Note(text) => say(&format!("note   {text}")),
                Finding::Warning(text) => say(&format!("warn   {text}")),
                Finding::Wrong(text) => {
                    wrong += 1;
                    say(&format!("WRONG  {text}"));
                }
            }
        }
        Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn configuration(&self) -> Vec<Finding> {
        let config = match config(self.file.config.as_deref()) {
            Ok(config) => config,
            Err(error) => return error.to_string().lines().map(|line| Finding::Wrong(line.to_owned())).collect(),
        };
        let (sources, handlers) = (config.sources.len() + config.sql_sources.len(), config.handlers.len());
        // The database does not matter for this: nothing connects.
        let mut findings = match declare("postgres://localhost/none", &config) {
            Ok(_) => vec![Finding::Good(format!("configuration: {sources} sources, {handlers} handlers"))],
            Err(error) => vec![Finding::Wrong(format!("configuration: {}", chain(&error)))],
        };
        for source in &config.sources {
            let warning = |text| Finding::Warning(format!("[sources.{}] {text}", source.name));
            findings.extend(source.kind.warnings().into_iter().map(warning));
        }
        findings
    }
}

async fn database_findings(database: &Database) -> Vec<Finding> {
    let mut findings = match inspect(database).await {
        Ok(inspection) => judge(database, &inspection),
        Err(error) => {
            return vec![Finding::Wrong(format!(
                "{database} cannot be asked ({error}). Look whether it runs, whether the URL is right, and whether this is a direct connection: a pooler may refuse our start-up settings"
            ))];
        }
    };
    findings.push(match check_schema(database).await {
        Ok(()) => Finding::Good("schema: fits this program".into()),
        Err(MigrateError::Pending) => Finding::Note(
            "schema: migrations are pending; `hookfast migrate` applies them, and so does `hookfast serve`".into(),
        ),
        Err(error) => Finding::Wrong(format!("schema: {error}")),
    });
    findings
}

fn judge(database: &Database, inspection: &Inspection) -> Vec<Finding> {
    let version = inspection.version / 10_000;
    let mut findings = vec![Finding::Good(format!("database: {database}, Postgres {version}"))];
    let mut wrong = |text: String| findings.push(Finding::Wrong(text));
    if version < 15 {
        wrong(format!("Postgres {version} is too old; Hookfast needs 15 or later"));
    }
    if inspection.in_recovery {
        wrong("the server is a standby and only reads: point DATABASE_URL at the primary".into());
    } else if inspection.read_only {
        wrong("the database is read-only (default_transaction_read_only is on; many providers set it when the disk is full), so no webhook can be stored: free space, and turn it off".into());
    }
    if !inspection.may_create {
        wrong(
            "the role may not create schemas: GRANT CREATE ON DATABASE … TO … (needed once, for the migrations)".into(),
        );
    }
    if !inspection.settings_arrive {
        wrong("our start-up settings do not arrive, so a pooler is in between: a 200 could then mean an asynchronous commit. Connect directly".into());
    }
    for setting in &inspection.not_durable {
        wrong(format!("{setting}: a committed webhook may be lost when the machine fails. Turn it on"));
    }
    findings.push(if inspection.synchronous_standby {
        Finding::Good("a commit waits for a synchronous standby: a 200 outlives a failover".into())
    } else {
        Finding::Note("no synchronous standby: a 200 outlives a crash of the server, not the loss of its disk".into())
    });
    findings
}

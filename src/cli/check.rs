//! `hookfast check`.

use super::{
    ConfigFile,
    declare::config,
    process::{chain, database_url, say},
};
use crate::app::Builder;
use crate::config::Config;
use crate::sources::Advice;
use crate::store::{ClockDifference, Database, DatabaseClock, Inspection, MigrateError, Role, check_schema, inspect};
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
        let (mut findings, config) = self.configuration();
        match database_url().and_then(|url| Ok((url.parse::<Database>()?, url))) {
            Ok((database, url)) => {
                findings.extend(database_findings(&database).await);
                findings.extend(handler_findings(&database, &url, config.as_ref()).await);
            }
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

    fn configuration(&self) -> (Vec<Finding>, Option<Config>) {
        let config = match config(self.file.config.as_deref()) {
            Ok(config) => config,
            Err(error) => {
                return (error.to_string().lines().map(|line| Finding::Wrong(line.to_owned())).collect(), None);
            }
        };
        let (sources, handlers) = (config.sources.len() + config.sql_sources.len(), config.handlers.len());
        // The database does not matter for this: nothing connects.
        let mut findings = match Builder::from_config("postgres://localhost/none", &config) {
            Ok(_) => vec![Finding::Good(format!("configuration: {sources} sources, {handlers} handlers"))],
            Err(error) => vec![Finding::Wrong(format!("configuration: {}", chain(&error.into())))],
        };
        findings.extend(config.advice().into_iter().map(|advice| match advice {
            Advice::Note(text) => Finding::Note(text),
            Advice::Warning(text) => Finding::Warning(text),
        }));
        (findings, Some(config))
    }
}

/// What `hookfast serve` would refuse of the handlers, in its words.
async fn handler_findings(database: &Database, url: &str, config: Option<&Config>) -> Vec<Finding> {
    let Some(builder) = config.and_then(|config| Builder::from_config(url, config).ok()) else { return Vec::new() };
    match check_schema(database).await {
        Ok(()) => builder.build().problems().await.iter().map(|error| Finding::Wrong(error.to_string())).collect(),
        Err(MigrateError::Pending) => {
            let text =
                "handlers: whether their functions and filters are there is known once the migrations are applied";
            vec![Finding::Note(text.into())]
        }
        // It is said already.
        Err(_) => Vec::new(),
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
    if let Some(difference) = clock_difference(database).await.filter(|difference| difference.is_large()) {
        findings.push(Finding::Warning(format!(
            "clock: {difference}. Senders that sign with a time are refused once it is more than their tolerance (5 minutes). Have both clocks set by NTP"
        )));
    }
    findings.push(match check_schema(database).await {
        Ok(()) => Finding::Good("schema: fits this program".into()),
        Err(MigrateError::Pending) => Finding::Note(
            "schema: migrations are pending; `hookfast migrate` applies them, and so does `hookfast serve`".into(),
        ),
        Err(error) => Finding::Wrong(format!("schema: {error}")),
    });
    findings
}

async fn clock_difference(database: &Database) -> Option<ClockDifference> {
    let mut connection = database.connect(Role::General).await.ok()?;
    let measured = DatabaseClock::default().measure(&mut connection).await;
    connection.close().await;
    measured.ok()
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
    if inspection.is_superuser {
        findings.push(Finding::Warning("the role is superuser: whoever gets hold of DATABASE_URL has the whole server. Give Hookfast a role of its own that may CREATE in this database and nothing else".into()));
    }
    findings.push(if inspection.synchronous_standby {
        Finding::Good("a commit waits for a synchronous standby: a 200 outlives a failover".into())
    } else {
        Finding::Note("no synchronous standby: a 200 outlives a crash of the server, not the loss of its disk".into())
    });
    findings
}

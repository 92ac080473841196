//! `hookfast check`.

use super::{
    ConfigFile,
    declare::{config, declare},
    process::{chain, database_url, say},
    words::counted,
};
use crate::app::ConnectionNeed;
use crate::store::{ConnectionLimits, Database, Inspection, MigrateError, check_schema, inspect};
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
        let (mut findings, needs) = self.configuration();
        match database_url().and_then(|url| Ok(url.parse::<Database>()?)) {
            Ok(database) => findings.extend(database_findings(&database, needs.as_deref()).await),
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

    fn configuration(&self) -> (Vec<Finding>, Option<Vec<ConnectionNeed>>) {
        let config = match config(self.file.config.as_deref()) {
            Ok(config) => config,
            Err(error) => {
                return (error.to_string().lines().map(|line| Finding::Wrong(line.to_owned())).collect(), None);
            }
        };
        let (sources, handlers) = (config.sources.len() + config.sql_sources.len(), config.handlers.len());
        // The database does not matter for this: nothing connects.
        let (first, needs) = match declare("postgres://localhost/none", &config) {
            Ok(declared) => (
                Finding::Good(format!(
                    "configuration: {}, {}",
                    counted(sources, "sources"),
                    counted(handlers, "handlers")
                )),
                Some(declared.builder.connection_needs()),
            ),
            Err(error) => (Finding::Wrong(format!("configuration: {}", chain(&error))), None),
        };
        let mut findings = vec![first];
        for source in &config.sources {
            let warning = |text| Finding::Warning(format!("[sources.{}] {text}", source.name));
            findings.extend(source.kind.warnings().into_iter().map(warning));
        }
        (findings, needs)
    }
}

async fn database_findings(database: &Database, needs: Option<&[ConnectionNeed]>) -> Vec<Finding> {
    let mut findings = match inspect(database).await {
        Ok(inspection) => {
            let mut findings = judge(database, &inspection);
            findings.extend(needs.map(|needs| connections(needs, &inspection.connections)));
            findings
        }
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
    findings.extend(inspection.problems().into_iter().map(Finding::Wrong));
    findings.extend(inspection.superuser_warning().map(|text| Finding::Warning(text.to_owned())));
    findings.push(if inspection.synchronous_standby {
        Finding::Good("a commit waits for a synchronous standby: a 200 outlives a failover".into())
    } else {
        Finding::Note("no synchronous standby: a 200 outlives a crash of the server, not the loss of its disk".into())
    });
    findings
}

/// Whether the server lets one process have its connections, and a second one beside it.
fn connections(needs: &[ConnectionNeed], limits: &ConnectionLimits) -> Finding {
    let sum: u32 = needs.iter().map(|need| need.connections).sum();
    let each: Vec<_> = needs.iter().map(|need| format!("{} for {}", need.connections, need.purpose)).collect();
    let (name, limit) = limits.lowest();
    let limit = u32::try_from(limit).unwrap_or(0);
    let text = format!("connections: one process opens up to {sum} ({}); {name} allows {limit}", each.join(", "));
    let remedy = "Raise the limit, or lower `connections` of handlers";
    if sum > limit {
        Finding::Wrong(format!("{text}, so deliveries would wait for connections. {remedy}"))
    } else if 2 * sum > limit {
        Finding::Warning(format!("{text}, so there is no room for a second process, as during a deployment. {remedy}"))
    } else {
        Finding::Good(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_compared_with_the_lowest_limit() {
        let needs = [("claims", 2), ("handler 'shop'", 8)]
            .map(|(purpose, connections)| ConnectionNeed { purpose: purpose.to_owned(), connections });
        let found = |server, role, database| connections(&needs, &ConnectionLimits { server, role, database });
        let parts = "one process opens up to 10 (2 for claims, 8 for handler 'shop')";
        assert!(matches!(found(20, None, None), Finding::Good(text) if text.contains(parts)));
        assert!(
            matches!(found(100, Some(19), Some(50)), Finding::Warning(text) if text.contains("role's") && text.contains("19"))
        );
        assert!(
            matches!(found(100, Some(19), Some(9)), Finding::Wrong(text) if text.contains("database's") && text.contains('9'))
        );
        assert!(matches!(found(9, None, None), Finding::Wrong(text) if text.contains("max_connections")));
    }
}

//! `hookfast check`.

use super::{
    ConfigFile,
    console_findings::console_findings,
    declare::config,
    findings::{Finding, print_findings},
    process::{chain, database_url_here},
    words::counted,
};
use crate::app::{Builder, ConnectionNeed};
use crate::config::Config;
use crate::domain::HandlerName;
use crate::sources::Advice;
use crate::store::{
    ClockDifference, ConnectionLimits, Database, DatabaseClock, Inspection, MigrateError, Role,
    check_schema, inspect, retired_handlers, unconfigured_handlers,
};
use std::process::ExitCode;

#[derive(clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    file: ConfigFile,
}

impl Check {
    /// Exits with 1 if there is an error.
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let (mut findings, config) = self.configuration();
        let console = config.as_ref().map(|config| config.console.roles.clone());
        match database_url_here().and_then(|url| Ok((url.parse::<Database>()?, url))) {
            Ok((database, url)) => {
                let builder = config.and_then(|config| Builder::from_config(&url, &config).ok());
                let needs = builder.as_ref().map(Builder::connection_needs);
                findings.extend(database_findings(&database, needs.as_deref()).await);
                findings.extend(handler_findings(&database, builder).await);
                findings.extend(console_findings(&database, &console.unwrap_or_default()).await);
            }
            Err(error) => findings.push(Finding::Error(error.to_string())),
        }
        Ok(print_findings(&findings))
    }

    fn configuration(&self) -> (Vec<Finding>, Option<Config>) {
        let config = match self.file.here().and_then(|file| config(file.as_deref())) {
            Ok(config) => config,
            Err(error) => {
                return (
                    error
                        .to_string()
                        .lines()
                        .map(|line| Finding::Error(line.to_owned()))
                        .collect(),
                    None,
                );
            }
        };
        let (sources, handlers) = (
            config.sources.len() + config.sql_sources.len(),
            config.handlers.len(),
        );
        // The database does not matter here: nothing connects.
        let mut findings = match Builder::from_config("postgres://localhost/none", &config) {
            Ok(_) => vec![Finding::Ok(format!(
                "configuration: {}, {}",
                counted(sources, "sources"),
                counted(handlers, "handlers")
            ))],
            Err(error) => vec![Finding::Error(format!(
                "configuration: {}",
                chain(&error.into())
            ))],
        };
        findings.extend(config.advice().into_iter().map(|advice| match advice {
            Advice::Note(text) => Finding::Note(text),
            Advice::Warning(text) => Finding::Warning(text),
        }));
        (findings, Some(config))
    }
}

/// The handlers that `hookfast serve` would reject, in its words.
async fn handler_findings(database: &Database, builder: Option<Builder>) -> Vec<Finding> {
    let Some(builder) = builder else {
        return Vec::new();
    };
    let configured = builder.handler_names();
    match check_schema(database).await {
        Ok(()) => {
            let problems = builder
                .build()
                .problems()
                .await
                .into_iter()
                .map(Finding::Error);
            problems
                .chain(registered_findings(database, &configured).await)
                .collect()
        }
        Err(MigrateError::Pending) => {
            let text = "handlers: their functions and filters can be checked once the migrations are applied";
            vec![Finding::Note(text.into())]
        }
        // Already reported by the check of the schema.
        Err(_) => Vec::new(),
    }
}

/// The differences between the registered handlers and the configuration.
async fn registered_findings(database: &Database, configured: &[HandlerName]) -> Vec<Finding> {
    let pool = database.pool(Role::General, 1);
    let unconfigured = unconfigured_handlers(&pool, configured)
        .await
        .unwrap_or_default();
    let retired = retired_handlers(&pool, configured)
        .await
        .unwrap_or_default();
    pool.close().await;
    let are = |names: &[String]| {
        format!(
            "{} {}",
            names.join(", "),
            if names.len() == 1 { "is" } else { "are" }
        )
    };
    let unconfigured = (!unconfigured.is_empty()).then(|| {
        Finding::Warning(format!(
            "handlers: {} registered, and neither this configuration nor a live process has them, so their deliveries wait. If another process has them, start it; otherwise end their subscriptions: hookfast handlers retire NAME --why …",
            are(&unconfigured)
        ))
    });
    let retired = (!retired.is_empty()).then(|| {
        Finding::Note(format!(
            "handlers: {} retired; `hookfast serve` with this configuration subscribes them again",
            are(&retired)
        ))
    });
    unconfigured.into_iter().chain(retired).collect()
}

async fn database_findings(database: &Database, needs: Option<&[ConnectionNeed]>) -> Vec<Finding> {
    let mut findings = match inspect(database).await {
        Ok(inspection) => {
            let mut findings = judge(database, &inspection);
            findings.extend(needs.map(|needs| connections(needs, &inspection.connections)));
            findings
        }
        Err(error) => {
            return vec![Finding::Error(format!(
                "{database} cannot be queried ({error}). Check that it is running, that the URL is correct, and that this is a direct connection: a pooler may refuse our start-up settings"
            ))];
        }
    };
    if let Some(difference) = clock_difference(database)
        .await
        .filter(|difference| difference.is_large())
    {
        findings.push(Finding::Warning(format!(
            "clock: {difference}. Webhooks signed with a time are rejected once the difference exceeds their tolerance (5 minutes). Synchronize both clocks with NTP"
        )));
    }
    findings.push(match check_schema(database).await {
        Ok(()) => Finding::Ok("schema: fits this program".into()),
        Err(MigrateError::Pending) => Finding::Note(
            "schema: migrations are pending; `hookfast migrate` applies them, and so does `hookfast serve`".into(),
        ),
        Err(error) => Finding::Error(format!("schema: {error}")),
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
    let mut findings = vec![Finding::Ok(format!(
        "database: {database}, Postgres {version}"
    ))];
    findings.extend(inspection.problems().into_iter().map(Finding::Error));
    findings.extend(
        inspection
            .superuser_warning()
            .map(|text| Finding::Warning(text.to_owned())),
    );
    findings.extend(inspection.sequence_warning().map(Finding::Warning));
    findings.extend(
        inspection
            .foreign_objects
            .as_ref()
            .map(|objects| Finding::Warning(objects.warning())),
    );
    findings.push(if inspection.synchronous_standby {
        Finding::Ok("commits wait for a synchronous standby: a webhook answered 200 survives a failover".into())
    } else {
        Finding::Note("no synchronous standby: a webhook answered 200 survives a crash of the server, but not the loss of its disk".into())
    });
    findings
}

/// Checks whether the connection limits allow one process, and a second one beside it.
fn connections(needs: &[ConnectionNeed], limits: &ConnectionLimits) -> Finding {
    let sum: u32 = needs.iter().map(|need| need.connections).sum();
    let each: Vec<_> = needs
        .iter()
        .map(|need| format!("{} for {}", need.connections, need.purpose))
        .collect();
    let (name, limit) = limits.lowest();
    let limit = u32::try_from(limit).unwrap_or(0);
    let text = format!(
        "connections: one process opens up to {sum} ({}); {name} allows {limit}",
        each.join(", ")
    );
    let remedy = "Raise the limit, or lower `connections` of handlers";
    if sum > limit {
        Finding::Error(format!(
            "{text}, so deliveries would wait for connections. {remedy}"
        ))
    } else if 2 * sum > limit {
        Finding::Warning(format!(
            "{text}, which is too few for a second process, for example during a deployment. {remedy}"
        ))
    } else {
        Finding::Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_compared_with_the_lowest_limit() {
        let needs =
            [("claims", 2), ("handler 'shop'", 8)].map(|(purpose, connections)| ConnectionNeed {
                purpose: purpose.to_owned(),
                connections,
            });
        let found = |server, role, database| {
            connections(
                &needs,
                &ConnectionLimits {
                    server,
                    role,
                    database,
                },
            )
        };
        let parts = "one process opens up to 10 (2 for claims, 8 for handler 'shop')";
        assert!(matches!(found(20, None, None), Finding::Ok(text) if text.contains(parts)));
        assert!(
            matches!(found(100, Some(19), Some(50)), Finding::Warning(text) if text.contains("role's") && text.contains("19"))
        );
        assert!(
            matches!(found(100, Some(19), Some(9)), Finding::Error(text) if text.contains("database's") && text.contains('9'))
        );
        assert!(
            matches!(found(9, None, None), Finding::Error(text) if text.contains("max_connections"))
        );
    }
}

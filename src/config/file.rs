//! The format of the file, and the checks that turn it into a [`Config`].

mod api;
mod console;
mod fixed;
mod handler;
mod retention;
mod source;
mod toml_error;

use super::{Config, units};
use crate::domain::{GrantedRole, IngressLimits, QuarantineLimits, RoleNames};
use console::Console;
use handler::{Handler, handler};
use retention::{Keep, retention};
use serde::Deserialize;
use source::{Source, sources};
use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

/// The same as `Builder`'s default.
const GRACE: Duration = Duration::from_secs(25);

/// How many requests may wait for the database.
const WAITING: usize = 2000;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    config_version: i64,
    sources: BTreeMap<String, Source>,
    handlers: BTreeMap<String, Handler>,
    ingress: Ingress,
    quarantine: Quarantine,
    worker: Worker,
    retention: Keep,
    roles: Roles,
    console: Console,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Ingress {
    body_bytes: Option<String>,
    header_bytes: Option<String>,
    header_time: Option<String>,
    body_time: Option<String>,
    body_rate: Option<String>,
    idle_time: Option<String>,
    connections: Option<usize>,
    bodies_in_flight: Option<String>,
    headers_in_flight: Option<String>,
    queue_capacity: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Quarantine {
    rows: Option<u32>,
    bytes: Option<String>,
    per_second: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Worker {
    shutdown_timeout: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Roles {
    reader: Option<String>,
    support: Option<String>,
    operator: Option<String>,
    console: Option<String>,
}

/// Problems, each with the setting it is about.
struct Problems(Vec<String>);

impl Problems {
    fn note<T, E: fmt::Display>(&mut self, place: &str, result: Result<T, E>) -> Option<T> {
        result
            .map_err(|problem| self.0.push(format!("{place}: {problem}")))
            .ok()
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, place: &str, text: &str) -> Option<T> {
        let parsed = text.parse();
        self.note(place, parsed)
    }

    fn all<T: FromStr<Err: fmt::Display>>(
        &mut self,
        place: &str,
        texts: &[String],
    ) -> Option<Vec<T>> {
        // Check every one, also after an invalid one.
        let parsed: Vec<_> = texts.iter().map(|text| self.parsed(place, text)).collect();
        parsed.into_iter().collect()
    }

    fn duration(&mut self, place: &str, text: Option<&str>, default: Duration) -> Duration {
        text.and_then(|text| self.note(place, units::duration(text)))
            .unwrap_or(default)
    }

    fn size(&mut self, place: &str, text: Option<&str>, default: usize) -> usize {
        let size = text.and_then(|text| self.note(place, units::size(text)));
        size.map_or(default, |size| usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// Rejects settings that belong to another kind. Each setting comes with whether it is set.
    fn no_other<const N: usize>(
        &mut self,
        place: &str,
        kind: &str,
        settings: [(&str, bool); N],
        own: &[&str],
    ) -> Option<()> {
        let strangers = settings
            .into_iter()
            .filter(|(name, given)| *given && !own.contains(name));
        let before = self.0.len();
        self.0.extend(
            strangers
                .map(|(name, _)| format!("{place} {name}: the kind '{kind}' has no such setting")),
        );
        (self.0.len() == before).then_some(())
    }

    fn positive(&mut self, place: &str, number: Option<usize>, default: usize) -> usize {
        if number == Some(0) {
            self.0.push(format!("{place}: must be at least 1"));
        }
        number.unwrap_or(default)
    }
}

/// Checks the whole file and returns every problem.
pub(super) fn parse(text: &str) -> Result<Config, Vec<String>> {
    let file: File =
        toml::from_str(text).map_err(|error| vec![toml_error::describe(error, text)])?;
    let mut problems = Problems(Vec::new());
    let (sources, sql_sources) = sources(&file.sources, &mut problems);
    let roles = roles(&file.roles, &mut problems);
    let config = Config {
        config_version: file.config_version,
        sources,
        sql_sources,
        handlers: file
            .handlers
            .iter()
            .filter_map(|(name, h)| handler(name, h, &file.sources, &mut problems))
            .collect(),
        limits: limits(&file.ingress, &mut problems),
        queue_capacity: problems.positive(
            "[ingress] queue_capacity",
            file.ingress.queue_capacity,
            WAITING,
        ),
        quarantine: quarantine(&file.quarantine, &mut problems),
        retention: retention(&file.retention, &mut problems),
        shutdown_timeout: problems.duration(
            "[worker] shutdown_timeout",
            file.worker.shutdown_timeout.as_deref(),
            GRACE,
        ),
        console: file.console.checked(&mut problems),
        console_proxy: file.console.proxy(&roles, &mut problems),
        roles,
        fixed: fixed::digest(text),
    };
    if problems.0.is_empty() {
        Ok(config)
    } else {
        Err(problems.0)
    }
}

fn limits(ingress: &Ingress, problems: &mut Problems) -> IngressLimits {
    let default = IngressLimits::default();
    let place = |key: &str| format!("[ingress] {key}");
    IngressLimits {
        body_bytes: problems.size(
            &place("body_bytes"),
            ingress.body_bytes.as_deref(),
            default.body_bytes,
        ),
        header_bytes: problems.size(
            &place("header_bytes"),
            ingress.header_bytes.as_deref(),
            default.header_bytes,
        ),
        header_time: problems.duration(
            &place("header_time"),
            ingress.header_time.as_deref(),
            default.header_time,
        ),
        body_time: problems.duration(
            &place("body_time"),
            ingress.body_time.as_deref(),
            default.body_time,
        ),
        body_rate: problems.size(
            &place("body_rate"),
            ingress.body_rate.as_deref(),
            default.body_rate,
        ),
        idle_time: problems.duration(
            &place("idle_time"),
            ingress.idle_time.as_deref(),
            default.idle_time,
        ),
        connections: problems.positive(
            &place("connections"),
            ingress.connections,
            default.connections,
        ),
        bodies_in_flight: problems.size(
            &place("bodies_in_flight"),
            ingress.bodies_in_flight.as_deref(),
            default.bodies_in_flight,
        ),
        headers_in_flight: problems.size(
            &place("headers_in_flight"),
            ingress.headers_in_flight.as_deref(),
            default.headers_in_flight,
        ),
    }
}

fn roles(roles: &Roles, problems: &mut Problems) -> RoleNames {
    let mut parsed = |key: &str, name: Option<&str>| {
        name.and_then(|name| problems.parsed(&format!("[roles] {key}"), name))
    };
    let names = RoleNames {
        reader: parsed("reader", roles.reader.as_deref()),
        support: parsed("support", roles.support.as_deref()),
        operator: parsed("operator", roles.operator.as_deref()),
        console: parsed("console", roles.console.as_deref()),
    };
    for (n, role) in GrantedRole::ALL.into_iter().enumerate() {
        let same =
            |other: &GrantedRole| names.get(role).is_some() && names.get(role) == names.get(*other);
        if let Some(other) = GrantedRole::ALL[n + 1..].iter().copied().find(same) {
            problems.0.push(format!(
                "[roles]: {role} and {other} are one role; each would have the privileges of the other"
            ));
        }
    }
    names
}

fn quarantine(quarantine: &Quarantine, problems: &mut Problems) -> QuarantineLimits {
    let default = QuarantineLimits::default();
    let bytes = problems.size(
        "[quarantine] bytes",
        quarantine.bytes.as_deref(),
        usize::try_from(default.bytes).unwrap_or(usize::MAX),
    );
    QuarantineLimits {
        rows: quarantine.rows.unwrap_or(default.rows),
        bytes: bytes as u64,
        per_second: quarantine.per_second.unwrap_or(default.per_second),
    }
}

#[cfg(test)]
mod tests;

//! `[handlers.NAME]`: the settings of every kind in one table, and the kinds each belongs to.

use super::{
    Problems,
    source::{self, Source},
    units,
};
use crate::config::{
    HandlerConfig, HandlerKind, HttpConfig,
    secrets::{SecretRefs, Value},
};
use crate::domain::{
    Breaker, Connections, HandlerPolicy, OnDeadLetter, Order, PayloadFilter, Rate, RetryPolicy,
};
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, str::FromStr};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Handler {
    kind: String,
    #[serde(default)]
    types: Vec<String>,
    sources: Option<Vec<String>>,
    retry: Option<Retry>,
    ordered_by: Option<String>,
    on_dead: Option<DeadKey>,
    timeout: Option<String>,
    concurrency: Option<usize>,
    connections: Option<usize>,
    url: Option<String>,
    secrets: Option<Vec<String>>,
    allow_private: Option<bool>,
    headers: Option<BTreeMap<String, String>>,
    forward_headers: Option<Vec<String>>,
    dead_on: Option<Vec<u16>>,
    function: Option<String>,
    rate: Option<f64>,
    breaker: Option<BreakerSetting>,
    filter: Option<String>,
    behind_after: Option<String>,
}

/// A boolean, or a table of settings.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a breaker is true, false, or a table with after, pause and max_pause"
)]
enum BreakerSetting {
    On(bool),
    Settings(BreakerTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerTable {
    after: Option<u32>,
    pause: Option<String>,
    max_pause: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Retry {
    Delays(Vec<String>),
    Exponential {
        base: String,
        max: String,
        max_attempts: u16,
    },
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DeadKey {
    Skip,
    Block,
}

pub(super) fn handler(
    name: &str,
    handler: &Handler,
    sources: &BTreeMap<String, Source>,
    problems: &mut Problems,
) -> Option<HandlerConfig> {
    let mut of = Settings {
        place: format!("[handlers.{name}]"),
        problems,
    };
    let parsed = of.problems.parsed(&of.place, name);
    let kind = of.kind(handler);
    let given = match (handler.types.is_empty(), handler.kind.as_str()) {
        (true, "airalo") => vec!["airalo.*".to_owned()],
        _ => handler.types.clone(),
    };
    let types = of.problems.all(&of.at("types"), &given);
    if given.is_empty() {
        of.wrong::<()>("types", "the list is empty; write [\"*\"] for all types");
    }
    let from = handler.sources.as_ref().map(|names| {
        for unknown in names
            .iter()
            .filter(|name| *name != source::OWN && !sources.contains_key(*name))
        {
            of.wrong::<()>("sources", &format!("there is no [sources.{unknown}]"));
        }
        for other in names.iter().filter(|_| handler.kind == "airalo") {
            if sources.get(other).is_some_and(|source| !source.is_airalo()) {
                of.wrong::<()>(
                    "sources",
                    &format!("[sources.{other}] is not of kind airalo, so it has no orders"),
                );
            }
        }
        if names.is_empty() {
            of.wrong::<()>("sources", "the list is empty; omit it for all sources");
        }
        of.problems.all(&of.at("sources"), names)
    });
    let policy = of.policy(handler);
    Some(HandlerConfig {
        name: parsed?,
        types: types?,
        sources: match from {
            Some(names) => Some(names?),
            None => None,
        },
        policy: policy?,
        kind: kind?,
    })
}

/// The settings of one handler, and where its problems are reported.
struct Settings<'p> {
    place: String,
    problems: &'p mut Problems,
}

impl Settings<'_> {
    fn kind(&mut self, handler: &Handler) -> Option<HandlerKind> {
        match handler.kind.as_str() {
            "http" => {
                let own = [
                    "timeout",
                    "concurrency",
                    "rate",
                    "breaker",
                    "url",
                    "secrets",
                    "allow_private",
                    "headers",
                    "forward_headers",
                    "dead_on",
                ]
                .as_slice();
                let fits = self.no_other(handler, own);
                let http = self.http(handler);
                fits.and(http).map(HandlerKind::Http)
            }
            "sql" => {
                let fits = self.no_other(
                    handler,
                    &["timeout", "connections", "rate", "breaker", "function"],
                );
                let function = self.needed("function", handler.function.clone(), &handler.kind);
                fits.and(function).map(HandlerKind::Sql)
            }
            "airalo" => self
                .no_other(handler, &["timeout", "connections", "rate", "breaker"])
                .map(|()| HandlerKind::Airalo),
            "pull" => self.no_other(handler, &[]).map(|()| HandlerKind::Pull),
            unknown => {
                let known = "http, sql, pull, airalo (handlers in Rust need a program that embeds the library)";
                self.problems.0.push(format!(
                    "{}: unknown kind '{unknown}'; known kinds are: {known}",
                    self.place
                ));
                None
            }
        }
    }

    fn http(&mut self, handler: &Handler) -> Option<HttpConfig> {
        let url = self.needed("url", handler.url.clone(), &handler.kind);
        let given = handler.secrets.as_deref().unwrap_or_default();
        let secrets = self
            .problems
            .note(&self.at("secrets"), SecretRefs::parse(given));
        let headers = handler.headers.iter().flatten();
        Some(HttpConfig {
            secrets: secrets?,
            url: url?,
            allow_private: handler.allow_private.unwrap_or_default(),
            headers: headers
                .map(|(name, value)| (name.clone(), Value::parse(value.clone())))
                .collect(),
            forward_headers: handler.forward_headers.clone().unwrap_or_default(),
            dead_on: handler.dead_on.clone().unwrap_or_default(),
        })
    }

    fn policy(&mut self, handler: &Handler) -> Option<HandlerPolicy> {
        let default = HandlerPolicy::default();
        let timeout = self.problems.duration(
            &self.at("timeout"),
            handler.timeout.as_deref(),
            default.timeout,
        );
        let concurrency = self.problems.positive(
            &self.at("concurrency"),
            handler.concurrency,
            default.concurrency,
        );
        let connections = self.set(handler.connections.map(Connections::new), "connections");
        let retry = self.retry(handler.retry.as_ref());
        let order = self.order(handler);
        let rate = self.set(handler.rate.map(Rate::per_second), "rate");
        let breaker = self.breaker(handler.breaker.as_ref());
        let behind_after = self.problems.duration(
            &self.at("behind_after"),
            handler.behind_after.as_deref(),
            default.behind_after,
        );
        if behind_after.is_zero() {
            self.wrong::<()>("behind_after", "must be greater than zero");
        }
        let filter = self.set(
            handler.filter.as_deref().map(PayloadFilter::from_str),
            "filter",
        );
        Some(HandlerPolicy {
            retry: retry?,
            timeout,
            concurrency,
            connections: connections?.unwrap_or_default(),
            order: order?,
            rate: rate?,
            breaker: breaker?,
            filter: filter?,
            behind_after,
        })
    }

    /// Checks an optional setting.
    fn set<T, E: fmt::Display>(
        &mut self,
        given: Option<Result<T, E>>,
        key: &str,
    ) -> Option<Option<T>> {
        match given {
            Some(result) => self.problems.note(&self.at(key), result).map(Some),
            None => Some(None),
        }
    }

    /// Settings that are left out have their default.
    fn breaker(&mut self, given: Option<&BreakerSetting>) -> Option<Option<Breaker>> {
        let default = Breaker::default();
        let table = match given {
            None => return Some(None),
            Some(BreakerSetting::On(true)) => return Some(Some(default)),
            Some(BreakerSetting::On(false)) => return Some(Some(Breaker::never())),
            Some(BreakerSetting::Settings(table)) => table,
        };
        let place = self.at("breaker");
        let breaker = Breaker {
            after: table.after.unwrap_or(default.after),
            pause: self
                .problems
                .duration(&place, table.pause.as_deref(), default.pause),
            max_pause: self.problems.duration(
                &place,
                table.max_pause.as_deref(),
                default.max_pause,
            ),
        };
        self.problems.note(&place, breaker.check()).map(Some)
    }

    fn retry(&mut self, retry: Option<&Retry>) -> Option<RetryPolicy> {
        let place = self.at("retry");
        let policy = match retry {
            None => RetryPolicy::default(),
            Some(Retry::Delays(delays)) => {
                let parsed: Vec<_> = delays
                    .iter()
                    .map(|text| self.problems.note(&place, units::duration(text)))
                    .collect();
                RetryPolicy::Delays(parsed.into_iter().collect::<Option<_>>()?)
            }
            Some(Retry::Exponential {
                base,
                max,
                max_attempts,
            }) => {
                let base = self.problems.note(&place, units::duration(base));
                let max = self.problems.note(&place, units::duration(max));
                RetryPolicy::Exponential {
                    base: base?,
                    max: max?,
                    max_attempts: *max_attempts,
                }
            }
        };
        self.problems.note(&place, policy.check())
    }

    fn order(&mut self, handler: &Handler) -> Option<Option<Order>> {
        let on_dead = handler.on_dead.map(|given| match given {
            DeadKey::Skip => OnDeadLetter::Skip,
            DeadKey::Block => OnDeadLetter::Block,
        });
        match (&handler.ordered_by, on_dead) {
            (None, None) => Some(None),
            (None, Some(_)) => self.wrong(
                "on_dead",
                "it applies to ordering keys, so ordered_by is required",
            ),
            (Some(path), on_dead) => {
                let by = self.problems.parsed(&self.at("ordered_by"), path)?;
                Some(Some(Order {
                    by,
                    on_dead: on_dead.unwrap_or_default(),
                }))
            }
        }
    }

    fn no_other(&mut self, handler: &Handler, own: &[&str]) -> Option<()> {
        self.problems
            .no_other(&self.place, &handler.kind, handler.of_some_kinds(), own)
    }

    fn needed(&mut self, key: &str, given: Option<String>, kind: &str) -> Option<String> {
        if given.is_none() {
            self.problems.0.push(format!(
                "{}: the kind '{kind}' needs the setting {key}",
                self.place
            ));
        }
        given
    }

    fn at(&self, key: &str) -> String {
        format!("{} {key}", self.place)
    }

    fn wrong<T>(&mut self, key: &str, problem: &str) -> Option<T> {
        self.problems.0.push(format!("{}: {problem}", self.at(key)));
        None
    }
}

impl Handler {
    /// The settings that not every kind has, and whether they are set.
    fn of_some_kinds(&self) -> [(&'static str, bool); 12] {
        [
            ("timeout", self.timeout.is_some()),
            ("concurrency", self.concurrency.is_some()),
            ("connections", self.connections.is_some()),
            ("url", self.url.is_some()),
            ("secrets", self.secrets.is_some()),
            ("allow_private", self.allow_private.is_some()),
            ("headers", self.headers.is_some()),
            ("forward_headers", self.forward_headers.is_some()),
            ("dead_on", self.dead_on.is_some()),
            ("function", self.function.is_some()),
            ("rate", self.rate.is_some()),
            ("breaker", self.breaker.is_some()),
        ]
    }
}

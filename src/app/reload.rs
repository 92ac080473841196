//! Secrets are replaced while a process runs: the configuration's lists and every reference in them are read again.

use super::ConfiguredError;
use crate::airalo::client::Client;
use crate::config::{Config, HandlerKind};
use crate::domain::{HandlerName, SourceName};
use crate::handlers::HttpHandler;
use crate::ingress::Sources;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// What holds secrets in a running process, by the names of the configuration.
#[derive(Default)]
pub(super) struct Replaceable {
    pub(super) kinds: HashMap<SourceName, &'static str>,
    pub(super) clients: HashMap<SourceName, Arc<Client>>,
    pub(super) handlers: HashMap<HandlerName, Arc<HttpHandler>>,
}

/// Where a value is used: its table, its setting, its reference.
type Use = (String, String, String);

/// The values in use, as digests, and the digest of all that cannot be replaced.
pub(super) struct Seen {
    values: BTreeMap<Use, (Option<[u8; 32]>, bool)>,
    fixed: [u8; 32],
}

impl Seen {
    pub(super) fn of(config: &Config) -> Self {
        let value = |used: crate::config::UsedSecret<'_>| {
            let digest = used.read().ok().map(|text| Sha256::digest(text).into());
            (
                (used.table.clone(), used.setting.clone(), used.label()),
                (digest, used.is_environment()),
            )
        };
        Self {
            values: config.used_secrets().into_iter().map(value).collect(),
            fixed: config.fixed,
        }
    }
}

/// What became of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A reference that was not there before.
    Added,
    /// A reference that is there no more.
    Removed,
    /// The same reference leads to another value.
    Changed,
    /// The same reference leads to the same value.
    Unchanged,
    /// A process keeps the environment it was started with.
    AsAtTheStart,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::AsAtTheStart => "as at the start",
        })
    }
}

/// One secret of a configuration that was read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadedSecret {
    /// What it is for, such as `[sources.airalo] secrets`.
    pub setting: String,
    /// Where it is, such as `file:/run/secrets/airalo`. Never its value.
    pub secret: String,
    /// What became of it.
    pub change: Change,
}

/// What came of reading a configuration again.
#[derive(Debug)]
pub struct Reloaded {
    /// The secrets of every table that was replaced.
    pub secrets: Vec<ReloadedSecret>,
    /// The tables whose secrets stay as they were, and why.
    pub failed: Vec<(String, ConfiguredError)>,
    /// Whether something else differs from what the process was started with, and needs a restart.
    pub needs_restart: bool,
}

/// Replaces the secrets of a process that [`Builder::from_config`](super::Builder::from_config) made.
pub struct Reloader {
    sources: Arc<Sources>,
    replaceable: Replaceable,
    seen: Mutex<Seen>,
}

impl Reloader {
    pub(super) fn new(sources: Arc<Sources>, (replaceable, seen): (Replaceable, Seen)) -> Self {
        Self {
            sources,
            replaceable,
            seen: Mutex::new(seen),
        }
    }

    /// Reads the references of `config` and replaces what the process uses. Sources and handlers that it was not started
    /// with are left out; they need a restart, as every other setting does.
    pub fn reload(&self, config: &Config) -> Reloaded {
        let done = self.replace(config);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Seen::of(config);
        let mut reloaded = Reloaded {
            secrets: Vec::new(),
            failed: Vec::new(),
            needs_restart: new.fixed != seen.fixed,
        };
        for (table, result) in done {
            match result {
                Ok(()) => reloaded.secrets.extend(seen.take(&table, &new)),
                Err(error) => reloaded.failed.push((table, error)),
            }
        }
        reloaded
    }

    /// Each table by itself: where one cannot be read, the others are replaced all the same.
    fn replace(&self, config: &Config) -> Vec<(String, Result<(), ConfiguredError>)> {
        let mut done = Vec::new();
        for source in &config.sources {
            if self.replaceable.kinds.get(&source.name) == Some(&source.kind.name()) {
                let replace = || {
                    Ok(self
                        .sources
                        .replace_secrets(&source.name, source.read_secrets()?)
                        .map(drop)?)
                };
                done.push((format!("[sources.{}]", source.name), replace()));
            }
            if let (Some(api), Some(client)) =
                (&source.api, self.replaceable.clients.get(&source.name))
            {
                let replace = || {
                    let settings = api.settings()?;
                    client.replace_credentials(settings.client_id, settings.client_secret);
                    Ok(())
                };
                done.push((format!("[sources.{}.api]", source.name), replace()));
            }
        }
        for handler in &config.handlers {
            let (HandlerKind::Http(http), Some(running)) =
                (&handler.kind, self.replaceable.handlers.get(&handler.name))
            else {
                continue;
            };
            let replace = || {
                let (secrets, headers) =
                    (http.secrets.read_standard_webhooks()?, http.read_headers()?);
                let replaced = running.replace_credentials(secrets, &headers);
                replaced.map_err(|error| ConfiguredError::Handler(handler.name.clone(), error))
            };
            done.push((format!("[handlers.{}]", handler.name), replace()));
        }
        done
    }
}

impl Seen {
    /// Takes a table's values over from `new`, and says what became of each.
    fn take(&mut self, table: &str, new: &Self) -> Vec<ReloadedSecret> {
        let of_table = |used: &Use| used.0 == table;
        let mut before: BTreeMap<_, _> = self
            .values
            .extract_if(.., |used, _| of_table(used))
            .collect();
        let mut changes = Vec::new();
        let mut say = |(table, setting, secret): &Use, change| {
            changes.push(ReloadedSecret {
                setting: format!("{table} {setting}"),
                secret: secret.clone(),
                change,
            });
        };
        for (used, (digest, is_environment)) in new.values.iter().filter(|(used, _)| of_table(used))
        {
            let change = match before.remove(used) {
                None => Change::Added,
                Some(_) if *is_environment => Change::AsAtTheStart,
                Some((old, _)) if old == *digest => Change::Unchanged,
                Some(_) => Change::Changed,
            };
            say(used, change);
            self.values.insert(used.clone(), (*digest, *is_environment));
        }
        before.keys().for_each(|used| say(used, Change::Removed));
        changes
    }
}

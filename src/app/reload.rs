//! Replaces secrets while a process runs. A reload reads the configuration's lists of secrets and
//! every reference in them again.

use super::ConfiguredError;
use crate::airalo::client::Client;
use crate::config::{Config, HandlerKind};
use crate::domain::{HandlerName, SourceName};
use crate::handlers::HttpHandler;
use crate::ingress::Sources;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

/// The parts of a running process that hold secrets, by the names in the configuration.
#[derive(Default)]
pub(super) struct Replaceable {
    pub(super) kinds: HashMap<SourceName, &'static str>,
    pub(super) clients: HashMap<SourceName, Arc<Client>>,
    pub(super) handlers: HashMap<HandlerName, Arc<HttpHandler>>,
}

/// Where a value is used: table, setting and reference.
type Use = (String, String, String);

/// Digests of the values in use, and the digest of all settings that a reload cannot replace.
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

/// How a reload changed a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The reference is new.
    Added,
    /// The reference was removed.
    Removed,
    /// The same reference now has another value.
    Changed,
    /// The same reference has the same value.
    Unchanged,
    /// The reference is to the environment, which a process keeps as it was at startup.
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

/// A secret of a configuration that was read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadedSecret {
    /// The setting that uses it, such as `[sources.airalo] secrets`.
    pub setting: String,
    /// The reference, such as `file:/run/secrets/airalo`. Never its value.
    pub secret: String,
    /// How it differs from the value in use before.
    pub change: Change,
}

/// The result of a reload.
#[derive(Debug)]
pub struct Reloaded {
    /// The secrets of every table that was replaced.
    pub secrets: Vec<ReloadedSecret>,
    /// The tables whose secrets were not replaced, and why.
    pub failed: Vec<(String, ConfiguredError)>,
    /// Whether any other setting differs from those at startup, and needs a restart.
    pub needs_restart: bool,
}

/// Replaces the secrets of a process whose builder is from
/// [`Builder::from_config`](super::Builder::from_config).
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

    /// Reads the references of `config` and replaces the secrets in use. Sources and handlers that
    /// did not exist at startup are skipped; they need a restart, like every other setting.
    pub fn reload(&self, config: &Config) -> Reloaded {
        let done = self.replace(config);
        let mut seen = self.seen.lock();
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

    /// Replaces the secrets of each table separately: if one table cannot be read, the others are
    /// still replaced.
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
    /// Replaces the values of a table with those of `new`, and reports the change of each.
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

//! The configuration file `hookfast.toml`, checked as a whole before anything starts.
//!
//! Every setting is in `docs/hookfast.sample.toml`. An unknown key is an error that names it. A
//! secret is a reference (`env:NAME` or `file:/path`), never the secret itself.

mod advice;
mod api;
mod clear_text;
mod file;
mod handler;
mod proxy;
mod secrets;
mod units;
mod used;

pub use api::ApiConfig;
pub use handler::{HandlerConfig, HandlerKind, HttpConfig};
pub use proxy::ProxyConfig;
pub use secrets::{NotAReference, SecretError, SecretRef, SecretRefs};
pub(crate) use used::UsedSecret;

use crate::domain::{
    ConsoleConfig, IngressLimits, OnInvalidSignature, PayloadFields, QuarantineLimits, Retention,
    RoleNames, SourceName,
};
use crate::signing::Secret;
use crate::sources::SourceKind;
use std::{fmt, path::Path, sync::Arc, time::Duration};

/// A configuration that is valid as far as it can be checked without a database.
#[derive(Debug)]
pub struct Config {
    /// The version that the operator gave it. In a rolling deployment, the older version does not
    /// undo the subscriptions of the newer one.
    pub config_version: i64,
    /// The sources that have a sender, by name.
    pub sources: Vec<SourceConfig>,
    /// The sources that applications feed through `hookfast.enqueue`, by name, with their fields.
    pub sql_sources: Vec<(SourceName, PayloadFields)>,
    /// The handlers in the order of their names.
    pub handlers: Vec<HandlerConfig>,
    /// Limits on the resources that senders may use.
    pub limits: IngressLimits,
    /// How many requests may wait for the database.
    pub queue_capacity: usize,
    /// Limits on the size and rate of the quarantine.
    pub quarantine: QuarantineLimits,
    /// How long each class of data is kept.
    pub retention: Retention,
    /// How long attempts and requests in flight may take to finish after a stop.
    pub shutdown_timeout: Duration,
    /// The database roles for people.
    pub roles: RoleNames,
    /// The console.
    pub console: ConsoleConfig,
    /// The reverse proxy that tells the console who its visitors are.
    pub console_proxy: Option<ProxyConfig>,
    /// The digest of everything except the references of secrets and the headers, which a reload
    /// can replace.
    pub(crate) fixed: [u8; 32],
}

/// A `[sources.NAME]` section, checked.
#[derive(Clone)]
pub struct SourceConfig {
    /// The name of the section. It is part of the URL.
    pub name: SourceName,
    /// How its webhooks are verified, classified and identified.
    pub kind: Arc<dyn SourceKind>,
    /// References to the secrets that verify its webhooks.
    pub secrets: SecretRefs,
    /// What happens to requests with a wrong signature.
    pub on_invalid_signature: OnInvalidSignature,
    /// Its secret fields and search fields, in addition to those of its kind.
    pub fields: PayloadFields,
    /// The settings of its API, if the kind has one and it is configured.
    pub api: Option<ApiConfig>,
    /// Whether its secrets have the Standard Webhooks form.
    standard_secrets: bool,
}

impl SourceConfig {
    /// Reads its secrets, in the form that its kind needs.
    ///
    /// # Errors
    /// [`SecretError`] for the first secret that cannot be read.
    pub fn read_secrets(&self) -> Result<Vec<Secret>, SecretError> {
        if self.standard_secrets {
            self.secrets.read_standard_webhooks()
        } else {
            self.secrets.read()
        }
    }
}

impl fmt::Debug for SourceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceConfig")
            .field("name", &self.name)
            .field("kind", &self.kind.name())
            .finish_non_exhaustive()
    }
}

/// Every problem of a configuration, one per line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct ConfigError {
    file: String,
    problems: Vec<String>,
}

impl ConfigError {
    fn lines(&self) -> String {
        let mut text = format!(
            "{} cannot be used, so nothing was started or changed; fix these problems:",
            self.file
        );
        for problem in &self.problems {
            text.push_str("\n  ");
            text.push_str(problem);
        }
        text
    }
}

impl Config {
    /// Reads and checks a file. It does not read secrets.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem in it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let read = std::fs::read_to_string(path)
            .map_err(|error| vec![format!("it cannot be read: {error}")]);
        let parsed = read.and_then(|text| file::parse(&text));
        parsed.map_err(|problems| ConfigError { file, problems })
    }

    /// Checks the text of a configuration file. It does not read secrets.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem in it.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        file::parse(text).map_err(|problems| ConfigError {
            file: "the configuration".to_owned(),
            problems,
        })
    }

    /// The configuration without a file: the source `airalo` with its secret from
    /// `AIRALO_CLIENT_SECRET`, and no handler.
    ///
    /// # Errors
    /// None in practice: the text is fixed, and a test parses it.
    pub fn without_file() -> Result<Self, ConfigError> {
        Self::parse("[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n")
    }
}

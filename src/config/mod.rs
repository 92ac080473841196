//! The configuration file `hookfast.toml`, checked whole before anything starts.
//!
//! Every setting is in `docs/hookfast.sample.toml`. An unknown key is an error that names it; a secret is a reference
//! (`env:NAME` or `file:/path`), never the secret itself.

mod advice;
mod api;
mod clear_text;
mod file;
mod handler;
mod secrets;
mod units;
mod used;

pub use api::ApiConfig;
pub use handler::{HandlerConfig, HandlerKind, HttpConfig};
pub use secrets::{NotAReference, SecretError, SecretRef, SecretRefs};
pub(crate) use used::UsedSecret;

use crate::domain::{
    IngressLimits, OnInvalidSignature, PayloadFields, QuarantineLimits, Retention, RoleNames,
    SourceName,
};
use crate::signing::Secret;
use crate::sources::SourceKind;
use std::{fmt, path::Path, sync::Arc, time::Duration};

/// A configuration that is right as far as can be said without a database.
#[derive(Debug)]
pub struct Config {
    /// The version the operator gave it: in a rolling deployment the older one does not undo the newer's subscriptions.
    pub config_version: i64,
    /// The sources that have a sender, by name.
    pub sources: Vec<SourceConfig>,
    /// The sources that applications feed by `hookfast.enqueue`, by name, with their fields.
    pub sql_sources: Vec<(SourceName, PayloadFields)>,
    /// The handlers, by name.
    pub handlers: Vec<HandlerConfig>,
    /// What the ingress takes at most.
    pub limits: IngressLimits,
    /// How many requests may wait for the database.
    pub queue_capacity: usize,
    /// What the quarantine takes at most.
    pub quarantine: QuarantineLimits,
    /// How long what is kept.
    pub retention: Retention,
    /// How long what is in flight may take to finish at the end.
    pub shutdown_timeout: Duration,
    /// The database roles of people.
    pub roles: RoleNames,
    /// The digest of everything but the secrets' references and the headers, which may be replaced while it runs.
    pub(crate) fixed: [u8; 32],
}

/// A source.
#[derive(Clone)]
pub struct SourceConfig {
    /// Its name.
    pub name: SourceName,
    /// Its kind.
    pub kind: Arc<dyn SourceKind>,
    /// Where its secrets are.
    pub secrets: SecretRefs,
    /// What a wrong signature gets.
    pub on_invalid_signature: OnInvalidSignature,
    /// Members of its payloads beside those its kind knows: what readers must not see, and what finds an event.
    pub fields: PayloadFields,
    /// Its API, where the kind has one and it is configured.
    pub api: Option<ApiConfig>,
    /// Whether its secrets are of the Standard Webhooks form.
    standard_secrets: bool,
}

impl SourceConfig {
    /// Reads its secrets, in the form its kind has them.
    ///
    /// # Errors
    /// [`SecretError`] for the first that cannot be had.
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

/// What is wrong with a configuration: every problem that was found, one a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct ConfigError {
    file: String,
    problems: Vec<String>,
}

impl ConfigError {
    fn lines(&self) -> String {
        let mut text = format!(
            "{} cannot be used, so nothing was started or changed; mend it as said here:",
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
    /// Reads and checks a file. Secrets are not read yet.
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

    /// The same for a text.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem in it.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        file::parse(text).map_err(|problems| ConfigError {
            file: "the configuration".to_owned(),
            problems,
        })
    }

    /// Without a file: the source `airalo` with its secret from `AIRALO_CLIENT_SECRET`, and no handler.
    ///
    /// # Errors
    /// None that the program's own text could have; a test parses it.
    pub fn without_file() -> Result<Self, ConfigError> {
        Self::parse("[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n")
    }
}

//! Selects the Airalo account and its credentials.

use crate::airalo::client::Client;
use crate::cli::{
    ConfigFile,
    declare::config,
    dev::{self, AIRALO_ID, AIRALO_SECRET, AIRALO_URL},
    folder::noted_value,
    process::secret_variable,
};
use crate::config::{ApiConfig, SourceConfig};
use crate::sources::airalo::{Airalo, ClientSettings};
use anyhow::{Context, bail};
use secrecy::SecretString;
use std::time::Duration;

#[derive(clap::Args)]
pub(super) struct AccountArguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Source, if the configuration has several of kind airalo
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// An account: the name of its source, its API client and its configuration.
pub(super) struct Account {
    pub(super) source: String,
    pub(super) client: Client,
    pub(super) api: Option<ApiConfig>,
    /// The configured source, for its secrets; `None` without a file.
    pub(super) configured: Option<SourceConfig>,
}

impl AccountArguments {
    pub(super) fn open(&self) -> anyhow::Result<Account> {
        let file = match &self.file.config {
            // Credentials in the environment take precedence over the configuration of `hookfast
            // dev`.
            None if secret_variable(AIRALO_ID).is_some() => None,
            _ => self.file.here()?,
        };
        let Some(file) = file else {
            return self.without_file();
        };
        let config = config(Some(&file))?;
        let mut ours = config.sources.into_iter().filter(|source| {
            source.kind.name() == Airalo::NAME
                && self
                    .source
                    .as_ref()
                    .is_none_or(|name| source.name.as_str() == name)
        });
        let (Some(source), None) = (ours.next(), ours.next()) else {
            bail!(
                "the configuration has no matching source of kind airalo, or several, so nothing was sent. Name one with --source"
            );
        };
        let Some(api) = source.api.clone() else {
            bail!(
                "[sources.{0}] has no [sources.{0}.api], so nothing was sent. It takes client_id and client_secret; see docs/hookfast.sample.toml",
                source.name
            );
        };
        Ok(Account {
            source: source.name.to_string(),
            client: Client::new(api.settings()?)?,
            api: Some(api),
            configured: Some(source),
        })
    }

    /// Reads the account from the environment, or from the notes of `hookfast dev` in this folder.
    fn without_file(&self) -> anyhow::Result<Account> {
        let secret = dev::secret(AIRALO_SECRET)?;
        let known =
            |name: &str| Ok::<_, anyhow::Error>(secret_variable(name).or(noted_value(name)?));
        let missing = |name: &str| {
            format!(
                "{name} is not set, so nothing was sent. Set it, or name a configuration with --config"
            )
        };
        let settings = ClientSettings {
            base_url: known(AIRALO_URL)?
                .unwrap_or_else(|| crate::sources::airalo::BASE_URL.to_owned()),
            client_id: known(AIRALO_ID)?.with_context(|| missing(AIRALO_ID))?,
            client_secret: SecretString::from(secret.with_context(|| missing(AIRALO_SECRET))?),
            timeout: Duration::from_secs(30),
        };
        Ok(Account {
            source: self.source.clone().unwrap_or_else(|| "airalo".to_owned()),
            client: Client::new(settings)?,
            api: None,
            configured: None,
        })
    }
}

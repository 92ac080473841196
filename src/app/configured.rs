//! Creates a builder from a configuration.

use super::{
    Builder, Subscription,
    reload::{Replaceable, Seen},
};
use crate::airalo::{
    Account,
    client::{ApiError, Client},
};
use crate::config::{Config, HandlerConfig, HandlerKind, SecretError};
use crate::domain::HandlerName;
use crate::handlers::{HttpHandler, InvalidHttpHandler};
use crate::ingress::{NoSecret, Source};
use crate::store::InvalidUrl;
use std::sync::Arc;

/// Why a configuration could not be turned into a builder. Nothing was connected or sent.
#[derive(Debug, thiserror::Error)]
pub enum ConfiguredError {
    /// The URL of the database is invalid.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// A secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A source has no secret.
    #[error(transparent)]
    Source(#[from] NoSecret),
    /// A handler has invalid settings.
    #[error("handler '{0}': {1}")]
    Handler(HandlerName, InvalidHttpHandler),
    /// An API has invalid settings.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Builder {
    /// Declares everything in a configuration and reads its secrets. Listeners and handlers in Rust
    /// can be added. Nothing connects yet.
    ///
    /// ```no_run
    /// use hookfast::{Builder, Config};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = Config::load("hookfast.toml".as_ref())?;
    /// let builder = Builder::from_config(&std::env::var("DATABASE_URL")?, &config)?;
    /// let app = builder.ingress(tokio::net::TcpListener::bind("127.0.0.1:8080").await?).build();
    /// app.run(hookfast::CancellationToken::new()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConfiguredError`] if a secret cannot be read or a setting is invalid.
    pub fn from_config(database_url: &str, config: &Config) -> Result<Self, ConfiguredError> {
        let mut builder = Self::new(database_url)?
            .config_version(config.config_version)
            .limits(config.limits)
            .queue_capacity(config.queue_capacity)
            .quarantine(config.quarantine)
            .shutdown_timeout(config.shutdown_timeout)
            .retention(config.retention)
            .roles(config.roles.clone());
        let mut replaceable = Replaceable::default();
        for source in &config.sources {
            let secrets = source.read_secrets()?;
            let made = Source::new(
                source.name.clone(),
                source.kind.clone(),
                secrets,
                source.on_invalid_signature,
            )?;
            builder = builder.source(made.with_fields(&source.fields));
            replaceable
                .kinds
                .insert(source.name.clone(), source.kind.name());
            if let Some(api) = &source.api {
                let client = Arc::new(Client::new(api.settings()?)?);
                replaceable
                    .clients
                    .insert(source.name.clone(), client.clone());
                builder = builder.airalo(Account {
                    source: source.name.clone(),
                    client,
                    every: api.reconcile_every,
                });
            }
        }
        for (name, fields) in &config.sql_sources {
            builder = builder.sql_source_with(name.clone(), fields.clone());
        }
        for handler in &config.handlers {
            let subscription = subscription(handler);
            builder = match &handler.kind {
                HandlerKind::Http(http) => {
                    let made = HttpHandler::new(http.settings(&handler.policy)?);
                    let made =
                        Arc::new(made.map_err(|error| {
                            ConfiguredError::Handler(handler.name.clone(), error)
                        })?);
                    replaceable
                        .handlers
                        .insert(handler.name.clone(), made.clone());
                    builder.http_handler(subscription, made)
                }
                HandlerKind::Sql(function) => builder.sql_handler(subscription, function),
                HandlerKind::Airalo => builder.airalo_handler(subscription),
                HandlerKind::Pull => builder.pull_handler(subscription),
            };
        }
        builder.configured = Some((replaceable, Seen::of(config)));
        Ok(builder)
    }
}

fn subscription(handler: &HandlerConfig) -> Subscription {
    Subscription {
        name: handler.name.clone(),
        types: handler.types.clone(),
        sources: handler.sources.clone(),
        policy: handler.policy.clone(),
    }
}

//! From a configuration to a Hookfast that is ready to be built.

use crate::airalo::{Account, client::Client};
use crate::app::{Builder, Subscription};
use crate::config::{Config, HandlerConfig, HandlerKind, HttpConfig, SecretRefs, SourceConfig};
use crate::domain::HandlerName;
use crate::handlers::{HttpHandler, HttpHandlerSettings};
use crate::ingress::{Source, Sources};
use crate::signing::Secret;
use anyhow::Context;
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// A declared Hookfast, and the secrets it reads again on SIGHUP.
pub(super) struct Declared {
    pub(super) builder: Builder,
    pub(super) secrets: WatchedSecrets,
}

/// The configuration of that file; without one, the source `airalo` and no handler.
pub(super) fn config(path: Option<&Path>) -> anyhow::Result<Config> {
    match path {
        Some(path) => Ok(Config::load(path)?),
        None => Ok(Config::without_file()?),
    }
}

/// Reads the secrets and makes sources and handlers. Nothing connects, nothing is sent.
pub(super) fn declare(url: &str, config: &Config) -> anyhow::Result<Declared> {
    let mut builder = Builder::new(url)?
        .config_version(config.config_version)
        .limits(config.limits)
        .waiting(config.waiting)
        .quarantine(config.quarantine)
        .grace(config.grace)
        .retention(config.retention)
        .roles(config.roles.clone());
    let mut secrets = WatchedSecrets::default();
    for source in &config.sources {
        builder = builder.source(make_source(source)?);
        if let Some(api) = &source.api {
            let client = Arc::new(Client::new(api.settings()?)?);
            builder = builder.airalo(Account { source: source.name.clone(), client, every: api.reconcile_every });
        }
        secrets.sources.push(source.clone());
    }
    for (name, fields) in &config.sql_sources {
        builder = builder.sql_source_with(name.clone(), fields.clone());
    }
    for handler in &config.handlers {
        let subscription = subscription(handler);
        builder = match &handler.kind {
            HandlerKind::Http(http) => {
                let made = Arc::new(make_http(handler, http)?);
                secrets.handlers.push((handler.name.clone(), made.clone(), http.secrets.clone()));
                builder.http_handler(subscription, made)
            }
            HandlerKind::Sql(function) => builder.sql_handler(subscription, function),
            HandlerKind::Airalo => builder.airalo_handler(subscription),
            HandlerKind::Pull => builder.pull_handler(subscription),
        };
    }
    Ok(Declared { builder, secrets })
}

fn make_source(source: &SourceConfig) -> anyhow::Result<Source> {
    let secrets = source.read_secrets()?;
    Ok(Source::new(source.name.clone(), source.kind.clone(), secrets, source.on_invalid_signature)?
        .with_fields(&source.fields))
}

fn make_http(handler: &HandlerConfig, http: &HttpConfig) -> anyhow::Result<HttpHandler> {
    HttpHandler::new(http.settings(&handler.policy)?).with_context(|| format!("handler '{}'", handler.name))
}

fn subscription(handler: &HandlerConfig) -> Subscription {
    Subscription {
        name: handler.name.clone(),
        types: handler.types.clone(),
        sources: handler.sources.clone(),
        policy: handler.policy.clone(),
    }
}

/// The handler of `hookfast dev` without a configuration file: everything goes to `hookfast listen`.
pub(super) fn default_handler(url: &str, secret: Secret) -> anyhow::Result<(Subscription, Arc<HttpHandler>)> {
    let subscription = Subscription::new("listen", &["*"])?;
    let settings = HttpHandlerSettings {
        url: url.to_owned(),
        secrets: vec![secret],
        timeout: Duration::from_secs(30),
        allow_private: true,
        headers: Vec::new(),
        dead_on: Vec::new(),
    };
    Ok((subscription, Arc::new(HttpHandler::new(settings)?)))
}

/// A listener, or what to do where there can be none.
pub(super) async fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("{address} cannot be listened on, so nothing was started. Stop what listens there, or set {variable}")
    })?;
    // Port 0 asks for any that is free: this says which.
    tracing::info!(address = %listener.local_addr()?, variable, "listening");
    Ok(listener)
}

/// The secrets a process uses, by where they come from.
#[derive(Default)]
pub(super) struct WatchedSecrets {
    sources: Vec<SourceConfig>,
    handlers: Vec<(HandlerName, Arc<HttpHandler>, SecretRefs)>,
}

impl WatchedSecrets {
    /// Reads them again on every SIGHUP. One that cannot be read leaves the old ones in place.
    pub(super) fn watch(self, sources: Arc<Sources>) -> anyhow::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                self.read_again(&sources);
            }
        });
        Ok(())
    }

    fn read_again(&self, sources: &Sources) {
        let again = |what: &str, done: anyhow::Result<()>| match done {
            Ok(()) => tracing::info!(what, "secrets read again"),
            Err(error) => tracing::error!(what, "secrets could not be read again, the old ones stay: {error:#}"),
        };
        for source in &self.sources {
            let read = || Ok(sources.replace_secrets(&source.name, source.read_secrets()?).map(drop)?);
            again(source.name.as_str(), read());
        }
        for (name, handler, refs) in &self.handlers {
            let read = || Ok(handler.replace_secrets(refs.read_standard_webhooks()?)?);
            again(name.as_str(), read());
        }
    }
}

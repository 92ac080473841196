//! Creates a builder from a configuration, and reloads secrets.

use super::terminal::Terminal;
use crate::app::{App, Builder, Reloaded, Reloader, Subscription};
use crate::config::Config;
use crate::domain::HttpHandlerSettings;
use crate::handlers::HttpHandler;
use crate::signing::Secret;
use anyhow::Context;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

/// Reads the configuration file. Without one, the configuration is the source `airalo` and no
/// handler.
pub(super) fn config(path: Option<&Path>) -> anyhow::Result<Config> {
    match path {
        Some(path) => Ok(Config::load(path)?),
        None => Ok(Config::without_file()?),
    }
}

/// Reads the secrets, declares sources and handlers, and warns of secrets that look wrong. Nothing
/// connects and nothing is sent.
pub(super) fn declare(url: &str, config: &Config) -> anyhow::Result<Builder> {
    let builder = Builder::from_config(url, config)?;
    warn_of_odd_secrets(config);
    Ok(builder)
}

fn warn_of_odd_secrets(config: &Config) {
    for odd in config.odd_secrets() {
        tracing::warn!("{odd}");
    }
}

/// The handler of `hookfast dev` without a configuration file. It delivers everything to `hookfast
/// listen`.
pub(super) fn default_handler(
    url: &str,
    secret: Secret,
) -> anyhow::Result<(Subscription, Arc<HttpHandler>)> {
    let subscription = Subscription::new("listen", &["*"])?;
    let settings = HttpHandlerSettings {
        url: url.to_owned(),
        secrets: vec![secret],
        timeout: Duration::from_secs(30),
        allow_private: true,
        headers: Vec::new(),
        forward_headers: Vec::new(),
        dead_on: Vec::new(),
    };
    Ok((subscription, Arc::new(HttpHandler::new(settings)?)))
}

/// Listens on an address. The error explains what to do.
pub(super) async fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}, so nothing was started. Stop the process that listens there, or set {variable}")
    })?;
    // Port 0 selects a free port: the log shows which.
    tracing::info!(address = %listener.local_addr()?, variable, "listening");
    Ok(listener)
}

/// Reads the configuration again on every SIGHUP and replaces the secrets. A secret that cannot be
/// read is not replaced. With a terminal, a SIGHUP after the terminal was closed cancels the token
/// instead.
pub(super) fn reload_on_hangup(
    app: &mut App,
    file: Option<PathBuf>,
    ends_with: Option<(Terminal, CancellationToken)>,
) -> anyhow::Result<()> {
    let Some(reloader) = app.reloader() else {
        return Ok(());
    };
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match &ends_with {
                Some((terminal, stop)) if terminal.is_closed() => {
                    tracing::info!("stopping: the terminal was closed");
                    stop.cancel();
                }
                _ => reload(&reloader, file.as_deref()),
            }
        }
    });
    Ok(())
}

fn reload(reloader: &Reloader, file: Option<&Path>) {
    let config = match config(file) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(
                "the configuration cannot be read again, so all current secrets stay in use: {error:#}"
            );
            return;
        }
    };
    let Reloaded {
        secrets,
        failed,
        needs_restart,
    } = reloader.reload(&config);
    for secret in secrets {
        let change = secret.change.to_string();
        tracing::info!(
            setting = secret.setting,
            secret = secret.secret,
            change,
            "secret read again"
        );
    }
    for (table, error) in failed {
        tracing::error!(
            table,
            "the secrets of this table cannot be read again, so its current ones stay in use: {error:#}. \
             A variable that was set after the start is read only after a restart; a file is read at once"
        );
    }
    warn_of_odd_secrets(&config);
    if needs_restart {
        tracing::warn!(
            "the configuration file has changed in more than secrets and headers since the start. That needs a \
             restart; until then the process keeps the settings it was started with"
        );
    }
    tracing::info!("configuration read again");
}

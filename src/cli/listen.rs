//! `hookfast listen`.

use super::{address::listen_address, dev, folder, process};
use crate::dev::receiver::{Mode, Receiver};
use crate::signing::standard_webhooks;
use anyhow::Context;
use axum::http::StatusCode;
use std::{net::SocketAddr, process::ExitCode};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

#[derive(clap::Args)]
pub(super) struct Listen {
    /// Address to listen on. Default: where the `hookfast dev` of this folder pushes to, or
    /// 127.0.0.1:9090
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    address: Option<SocketAddr>,
    /// Reference of the secret that verifies deliveries: env:NAME or file:/path. Default:
    /// HOOKFAST_LISTEN_SECRET, or the secret of `hookfast dev` in this folder
    #[arg(long, value_name = "REFERENCE")]
    secret: Option<String>,
    /// Start in failing mode: answer with this status until SIGUSR1
    #[arg(long, value_name = "STATUS")]
    fail: Option<u16>,
}

impl Listen {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let text = match &self.secret {
            Some(reference) => process::secret_text(reference)?,
            None => dev::secret(dev::LISTEN_SECRET)?.context(
                "there is no secret to verify with; nothing was started. Set HOOKFAST_LISTEN_SECRET to a whsec_… secret, or start `hookfast dev` in this folder first",
            )?,
        };
        let secret = standard_webhooks::parse_secret(dev::LISTEN_SECRET, &text)?;
        let failing = Mode::Fail(
            StatusCode::from_u16(self.fail.unwrap_or(500))
                .context("--fail takes an HTTP status")?,
        );
        let receiver = Receiver::new(vec![secret], |notice| process::say(&notice.to_string()));
        let mode = receiver.mode();
        if self.fail.is_some() {
            mode.set(failing);
        }
        let address = match self.address {
            Some(address) => address,
            None => forwarded()?,
        };
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}; nothing was started. Stop the process that listens there, or give --address")
        })?;
        process::say(&format!(
            "listening on http://{}; `kill -USR1 {}` turns failing mode on and off",
            listener.local_addr()?,
            std::process::id()
        ));
        let mut toggle = signal(SignalKind::user_defined1())?;
        tokio::spawn(async move {
            while toggle.recv().await.is_some() {
                let now = mode.toggle(failing);
                process::say(&format!("mode: {now:?}"));
            }
        });
        receiver.serve(listener, process::stop_on_signal()?).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The address that the `hookfast dev` of this folder pushes to, if it is on this machine.
fn forwarded() -> anyhow::Result<SocketAddr> {
    let url = folder::noted_value(folder::FORWARD)?.and_then(|url| url::Url::parse(&url).ok());
    let noted = url.and_then(|url| {
        listen_address(&format!(
            "{}:{}",
            url.host_str()?,
            url.port_or_known_default()?
        ))
        .ok()
    });
    Ok(noted
        .filter(|address| address.ip().is_loopback())
        .unwrap_or_else(|| ([127, 0, 0, 1], 9090).into()))
}

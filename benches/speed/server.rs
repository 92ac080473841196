//! The servers under load, each in its own process.

use crate::{
    client::Connection,
    config::HANDLER_SECRET,
    orders::SECRET,
    usage::{self, Usage},
};
use anyhow::{Context, bail};
use hookfast::internals::signing::standard_webhooks;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    ffi::OsStr,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// How long a server may take to become ready, and to stop.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills the process.
pub(crate) struct Server {
    child: Child,
    pid: u32,
    /// The address at which it receives webhooks.
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
}

impl Server {
    /// Starts `hookfast serve` with these roles.
    pub(crate) async fn hookfast(
        url: &str,
        roles: &str,
        config: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command.args(["serve", "--roles", roles]);
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        Self::start(command, url, "/readyz").await
    }

    /// Starts this program again as one of its hidden servers.
    pub(crate) async fn ourselves(
        url: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::start(command, url, "/readyz").await
    }

    async fn start(mut command: Command, url: &str, ready: &str) -> anyhow::Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        command
            .env("DATABASE_URL", url)
            .env("AIRALO_CLIENT_SECRET", SECRET)
            .env(
                HANDLER_SECRET,
                standard_webhooks::secret_text(*b"32 bytes that sign what is sent."),
            )
            .env("HOOKFAST_LISTEN", address.to_string())
            .env("HOOKFAST_ADMIN_LISTEN", admin.to_string())
            .env(
                "RUST_LOG",
                std::env::var("RUST_LOG").unwrap_or_else(|_| "error".to_owned()),
            )
            .env_remove("HOOKFAST_CONFIG")
            .stdin(Stdio::null())
            // Standard output is reserved for figures.
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let child = command.spawn().context("the server could not be started")?;
        let pid = child.id().context("the server ended at once")?;
        let mut server = Self {
            child,
            pid,
            address,
            admin,
        };
        server.wait_until_ready(ready).await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self, path: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended at once ({status}); its output is above");
            }
            if let Ok(mut connection) = Connection::open(self.admin).await
                && connection.get(path).await.is_ok_and(|status| status == 200)
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the server was not ready after {START:?}")
    }

    /// Sends SIGTERM and waits until the process ends.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid)?), Signal::SIGTERM)?;
        match tokio::time::timeout(STOP, self.child.wait()).await {
            Ok(status) => {
                let status = status?;
                anyhow::ensure!(
                    status.success(),
                    "the server ended with a failure ({status}); its output is above"
                );
                Ok(())
            }
            Err(_) => bail!("the server did not end within {STOP:?} of a SIGTERM"),
        }
    }

    /// Sends SIGKILL and waits until the process ends.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// The resources it has used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        usage::of(self.pid)
    }

    /// How many deliveries it has settled as delivered, by its own metrics.
    pub(crate) async fn delivered(&self) -> anyhow::Result<u64> {
        let mut connection = Connection::open(self.admin).await?;
        connection.get("/metrics").await?;
        let text = std::str::from_utf8(connection.body())?;
        let lines = text
            .lines()
            .filter(|line| line.starts_with("hookfast_attempts_total{"));
        let counts = lines
            .filter(|line| line.contains("outcome=\"delivered\""))
            .filter_map(|line| line.rsplit(' ').next());
        Ok(counts.filter_map(|count| count.parse::<u64>().ok()).sum())
    }
}

/// A loopback address whose port is free now.
pub(crate) fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

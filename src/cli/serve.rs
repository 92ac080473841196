//! `hookfast serve`.

use super::{
    ConfigFile,
    address::listen_address,
    console,
    declare::{bind, config, declare, reload_on_hangup},
    process::{database_url, raise_file_limit, stop_on_signal, variable},
};
use crate::console::Console;
use crate::store::Database;
use anyhow::{Context, bail};
use std::{net::SocketAddr, process::ExitCode};

#[derive(clap::Args)]
pub(super) struct Serve {
    #[command(flatten)]
    file: ConfigFile,
    /// Roles of this process
    #[arg(long, value_delimiter = ',', default_value = "ingress,worker")]
    roles: Vec<Role>,
    /// Do not apply pending migrations; if there are any, do not start
    #[arg(long)]
    no_migrate: bool,
    #[command(flatten)]
    addresses: Addresses,
    /// Address of the console, if this process has the role console
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address, env = "HOOKFAST_CONSOLE_LISTEN", default_value = console::DEFAULT)]
    console_listen: SocketAddr,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// Receive webhooks
    Ingress,
    /// Run deliveries
    Worker,
    /// Serve the console, at HOOKFAST_CONSOLE_LISTEN, with the login of HOOKFAST_CONSOLE_DATABASE_URL
    Console,
}

#[derive(clap::Args)]
pub(super) struct Addresses {
    /// Address to receive webhooks on: HOST:PORT, or :PORT for this machine only
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address, env = "HOOKFAST_LISTEN", default_value = "127.0.0.1:8080")]
    pub(super) listen: SocketAddr,
    /// Address of health and metrics. It has no authentication, so keep it private
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address, env = "HOOKFAST_ADMIN_LISTEN", default_value = "127.0.0.1:8081")]
    pub(super) admin_listen: SocketAddr,
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = config(self.file.config.as_deref())?;
        let declared = declare(&database_url()?, &config)?;
        if self.roles.is_empty() {
            bail!(
                "--roles names no role, so nothing was started; it takes ingress, worker and console"
            );
        }
        let mut builder = declared
            .migrate(!self.no_migrate)
            .worker(self.roles.contains(&Role::Worker))
            .admin(bind(self.addresses.admin_listen, "HOOKFAST_ADMIN_LISTEN").await?);
        if self.roles.contains(&Role::Ingress) {
            raise_file_limit(config.limits.connections);
            builder = builder.ingress(bind(self.addresses.listen, "HOOKFAST_LISTEN").await?);
        }
        let stop = stop_on_signal()?;
        if self.roles.contains(&Role::Console) {
            let settings = console::settings(&config, self.console_listen)?;
            let database: Database = console_url()?.parse()?;
            let listener = bind(self.console_listen, "HOOKFAST_CONSOLE_LISTEN").await?;
            let proxied = console::proxied(&config).await?;
            let console = Console::new(&database, settings);
            tokio::spawn(console::serve(console, listener, proxied, stop.clone()));
        }
        let mut app = builder.build();
        reload_on_hangup(&mut app, self.file.config, None)?;
        app.run(stop).await?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// The console has a login of its own: with that of the ingress or the worker, a visitor's request
/// would begin with the rights of the owner.
fn console_url() -> anyhow::Result<String> {
    variable("HOOKFAST_CONSOLE_DATABASE_URL").context(
        "HOOKFAST_CONSOLE_DATABASE_URL is not set, so nothing was started. The console needs a login of its own: set it to \
         postgres://USER:PASSWORD@HOST:PORT/DATABASE, or leave the role console out",
    )
}

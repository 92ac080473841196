//! `hookfast console`.

use super::{
    ConfigFile,
    address::{listen_address, reachable},
    declare::{bind, config},
    process::{database_url, database_url_here, say, stop_on_signal},
};
use crate::config::Config;
use crate::console::{Console, ConsoleSettings};
use crate::domain::GrantedRole;
use crate::store::{self, Database, FunctionCall, SqlArg, catalog::functions};
use anyhow::{Context, bail};
use std::{net::SocketAddr, process::ExitCode};

/// Where the console listens if nothing else is said.
pub(super) const DEFAULT: &str = "127.0.0.1:8082";

#[derive(clap::Args)]
pub(super) struct ConsoleCommand {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    file: ConfigFile,
    /// Address of the console: HOST:PORT, or :PORT for this machine only. Beyond this machine it needs
    /// an https address in [console] url
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address, env = "HOOKFAST_CONSOLE_LISTEN", default_value = DEFAULT)]
    listen: SocketAddr,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Print a link to log in, once and within ten minutes, with the rights of your own role
    Link(Link),
}

#[derive(clap::Args)]
struct Link {
    /// Log in with this role instead of the strongest of operator, support and reader
    #[arg(long = "as", value_name = "ROLE")]
    role: Option<String>,
    /// Address of the console
    #[arg(
        long,
        value_name = "URL",
        env = "HOOKFAST_CONSOLE_URL",
        default_value = "http://127.0.0.1:8082"
    )]
    url: url::Url,
}

impl ConsoleCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(Action::Link(link)) = self.action {
            return link.run().await;
        }
        let config = config(self.file.config.as_deref())?;
        let settings = settings(&config, self.listen)?;
        let database: Database = database_url()?.parse()?;
        let listener = bind(self.listen, "HOOKFAST_CONSOLE_LISTEN").await?;
        let address = reachable(listener.local_addr()?);
        tracing::info!(%database, "console on http://{address}/");
        Console::new(&database, settings)
            .serve(listener, stop_on_signal()?)
            .await;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// The settings of the console that listens at an address.
pub(super) fn settings(config: &Config, listen: SocketAddr) -> anyhow::Result<ConsoleSettings> {
    let url = config.console.url.clone();
    let is_https = url.as_ref().is_some_and(|url| url.scheme() == "https");
    if !listen.ip().is_loopback() && !is_https {
        bail!(
            "the console listens beyond this machine ({listen}) only behind TLS, so it was not started. Set [console] url to \
             the https address under which browsers reach it, or listen at a loopback address"
        );
    }
    let role = config
        .roles
        .get(GrantedRole::Console)
        .map(ToString::to_string);
    Ok(ConsoleSettings {
        role: role.unwrap_or_else(|| GrantedRole::Console.default_name().to_owned()),
        url,
        is_development: false,
    })
}

impl Link {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let database: Database = database_url_here()?.parse()?;
        let mut console = store::OperatorConnection::open(&database).await?;
        say(&link(&mut console, &self.url, self.role.as_deref()).await?);
        console.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// A link that logs in with a new ticket.
pub(super) async fn link(
    console: &mut store::OperatorConnection,
    url: &url::Url,
    role: Option<&str>,
) -> anyhow::Result<String> {
    let call = FunctionCall::of(&functions::CONSOLE_TICKET).with("role", role.map(SqlArg::text));
    let rows = console.call(call).await?;
    let ticket = rows
        .first()
        .and_then(|row| row.as_str())
        .context("the database returned no ticket")?;
    let mut link = url.join("/login")?;
    link.query_pairs_mut().append_pair("ticket", ticket);
    Ok(link.into())
}

//! `hookfast console`.

use super::{
    ConfigFile,
    address::{listen_address, reachable},
    declare::{bind, config},
    folder::{CONSOLE_URL, Note, noted, noted_value},
    process::{database_url, database_url_here, say, stop_on_signal, variable},
    qr,
};
use crate::config::Config;
use crate::console::{Console, ConsoleSettings};
use crate::domain::{GrantedRole, ProxySettings};
use crate::store::{self, Database, FunctionCall, SqlArg, catalog::functions};
use anyhow::{Context, bail};
use std::{io::IsTerminal as _, net::SocketAddr, process::ExitCode};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

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
    /// Address of the console [default: that of the folder's `hookfast dev`, or
    /// http://127.0.0.1:8082]
    #[arg(long, value_name = "URL", env = "HOOKFAST_CONSOLE_URL")]
    url: Option<url::Url>,
    /// Also print the link as a QR code, for the camera of a phone
    #[arg(long)]
    qr: bool,
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
        let proxied = proxied(&config).await?;
        tracing::info!(%database, "console on http://{address}/");
        serve(
            Console::new(&database, settings),
            listener,
            proxied,
            stop_on_signal()?,
        )
        .await;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// The listener for a reverse proxy, with what identifies the proxy.
pub(super) type Proxied = (TcpListener, ProxySettings);

/// Serves the console, on both listeners if it has a reverse proxy.
pub(super) async fn serve(
    console: Console,
    listener: TcpListener,
    proxied: Option<Proxied>,
    stop: CancellationToken,
) {
    let behind = async {
        if let Some((listener, proxy)) = proxied {
            console.behind(proxy).serve(listener, stop.clone()).await;
        }
    };
    tokio::join!(behind, console.clone().serve(listener, stop.clone()));
}

/// Binds the listener of `[console.proxy]` and reads its secrets.
pub(super) async fn proxied(config: &Config) -> anyhow::Result<Option<Proxied>> {
    let Some(proxy) = &config.console_proxy else {
        return Ok(None);
    };
    needs_https(config, proxy.listen)?;
    let settings = proxy.settings().context("[console.proxy] secrets")?;
    let listener = bind(proxy.listen, "[console.proxy] listen").await?;
    let address = listener.local_addr()?;
    tracing::info!("console for the reverse proxy on http://{address}/");
    Ok(Some((listener, settings)))
}

fn needs_https(config: &Config, listen: SocketAddr) -> anyhow::Result<()> {
    let url = config.console.url.as_ref();
    if !listen.ip().is_loopback() && url.is_none_or(|url| url.scheme() != "https") {
        bail!(
            "the console listens beyond this machine ({listen}) only behind TLS, so it was not started. Set [console] url to \
             the https address under which browsers reach it, or listen at a loopback address"
        );
    }
    Ok(())
}

/// The settings of the console that listens at an address.
pub(super) fn settings(config: &Config, listen: SocketAddr) -> anyhow::Result<ConsoleSettings> {
    needs_https(config, listen)?;
    let role = config
        .roles
        .get(GrantedRole::Console)
        .map(ToString::to_string);
    Ok(ConsoleSettings {
        role: role.unwrap_or_else(|| GrantedRole::Console.default_name().to_owned()),
        url: config.console.url.clone(),
        is_development: false,
    })
}

impl Link {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let database: Database = database_url_here()?.parse()?;
        let url = match self.url {
            Some(url) => url,
            None => url_here()?,
        };
        let mut console = store::OperatorConnection::open(&database).await?;
        let link = link(&mut console, &url, self.role.as_deref()).await?;
        console.close().await;
        if self.qr {
            say(&qr::code(&link, std::io::stdout().is_terminal())?);
        }
        say(&link);
        Ok(ExitCode::SUCCESS)
    }
}

/// The console of this folder's `hookfast dev`, unless the command uses another database.
fn url_here() -> anyhow::Result<url::Url> {
    let is_here =
        variable("DATABASE_URL").is_none() || noted("DATABASE_URL")? == Some(Note::InEnvironment);
    let noted = match is_here {
        true => noted_value(CONSOLE_URL)?,
        false => None,
    };
    let url = noted.unwrap_or_else(|| format!("http://{DEFAULT}"));
    Ok(url.parse()?)
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

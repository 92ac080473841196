//! `hookfast dev`.

mod console;
mod database;
mod greeting;
mod notes;

use super::{
    ConfigFile,
    address::{listen_address, reachable},
    declare::{bind, config, declare, default_handler, reload_on_hangup},
    folder::{ADMIN_URL, CONSOLE_URL, FORWARD, Folder, Note, URL, noted},
    process::{say, secret_variable, stop_on_signal},
    serve::Addresses,
    terminal::Terminal,
};
use crate::airalo::{Account, client::Client};
use crate::app::{Builder, Subscription};
use crate::config::Config;
use crate::dev::airalo_emulator::{Emulator, EmulatorSettings, FaultPlan};
use crate::domain::{OnInvalidSignature, RetryPolicy};
use crate::ingress::Source;
use crate::signing::{Secret, standard_webhooks};
use crate::sources::airalo::{Airalo, ClientSettings};
use anyhow::bail;
use database::DevDatabase;
use notes::Notes;
use secrecy::SecretString;
use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The secret that signs received webhooks.
pub(super) const AIRALO_SECRET: &str = "AIRALO_CLIENT_SECRET";

/// The secret that signs deliveries to `hookfast listen`.
pub(super) const LISTEN_SECRET: &str = "HOOKFAST_LISTEN_SECRET";

/// The URL of Airalo's API, and the partner's id.
pub(super) const AIRALO_URL: &str = "AIRALO_BASE_URL";
pub(super) const AIRALO_ID: &str = "AIRALO_CLIENT_ID";

/// The partner's id at a local Airalo.
const EMULATED: &str = "emulated";

/// Retry delays short enough to watch.
const RETRIES: [u64; 8] = [1, 2, 5, 10, 30, 60, 300, 600];

#[derive(clap::Args)]
pub(super) struct Dev {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    addresses: Addresses,
    /// Also run a local Airalo to order from, with its API at this address (see `hookfast airalo
    /// emulate`)
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address, num_args = 0..=1, default_missing_value = "127.0.0.1:9400", conflicts_with = "config")]
    airalo: Option<SocketAddr>,
    /// Address of the console
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address, env = "HOOKFAST_CONSOLE_LISTEN", default_value = crate::cli::console::DEFAULT)]
    console_listen: SocketAddr,
    /// URL that deliveries are pushed to if there is no configuration file. `hookfast listen`
    /// listens there
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9090/")]
    forward: String,
}

impl Dev {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let terminal = Terminal::of_process();
        let given = secret_variable(AIRALO_SECRET).is_some() || self.file.config.is_some();
        let open = [
            self.addresses.listen,
            self.addresses.admin_listen,
            self.console_listen,
        ]
        .iter()
        .any(|a| !a.ip().is_loopback());
        if open && !given {
            bail!(
                "`hookfast dev` listens beyond this machine only with your own secret, so nothing was started. Set {AIRALO_SECRET}, or use loopback addresses"
            );
        }
        let config = self
            .file
            .config
            .as_deref()
            .map(|file| config(Some(file)))
            .transpose()?;
        let stop = stop_on_signal()?;
        let folder = Folder::make()?;
        // Before anything is noted: if two start in one folder, the second must not replace the
        // notes of the first.
        let database = DevDatabase::open().await?;
        let ran = match Notes::open(folder, &database) {
            Ok(mut notes) => {
                self.serve(&database.url, config.as_ref(), &mut notes, stop, terminal)
                    .await
            }
            Err(error) => Err(error),
        };
        let closed = database.close().await;
        ran?;
        closed?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }

    async fn serve(
        &self,
        url: &str,
        config: Option<&Config>,
        notes: &mut Notes,
        stop: CancellationToken,
        terminal: Terminal,
    ) -> anyhow::Result<()> {
        let builder = match config {
            Some(config) => declare(url, config)?,
            None => self.without_file(url, notes)?,
        };
        let builder = match self.airalo {
            Some(address) => {
                self.with_airalo(builder, address, notes, stop.clone())
                    .await?
            }
            None => builder,
        };
        let former = notes.declare(&builder.handler_names())?;
        let builder = builder.declared_before(former);
        let admin = bind(self.addresses.admin_listen, "HOOKFAST_ADMIN_LISTEN").await?;
        let ingress = bind(self.addresses.listen, "HOOKFAST_LISTEN").await?;
        let console = bind(self.console_listen, "HOOKFAST_CONSOLE_LISTEN").await?;
        let address = reachable(ingress.local_addr()?);
        notes.add(URL, format!("http://{address}"))?;
        notes.add(
            ADMIN_URL,
            format!("http://{}", reachable(admin.local_addr()?)),
        )?;
        notes.add(
            CONSOLE_URL,
            format!("http://{}", reachable(console.local_addr()?)),
        )?;
        match (config, &self.file.config) {
            (Some(config), Some(file)) => {
                notes.configuration(file)?;
                say(&greeting::of_config(address, config));
            }
            _ => {
                notes.add(FORWARD, self.forward.clone())?;
                say(&greeting::without_file(address, &self.forward));
            }
        }
        tokio::spawn(console::run(url.to_owned(), console, stop.clone()));
        // Here people write a function after the start, so its handler waits for it.
        let mut app = builder
            .admin(admin)
            .ingress(ingress)
            .wait_for_functions(true)
            .build();
        reload_on_hangup(
            &mut app,
            self.file.config.clone(),
            Some((terminal, stop.clone())),
        )?;
        Ok(app.run(stop).await?)
    }

    fn without_file(&self, url: &str, secrets: &Notes) -> anyhow::Result<Builder> {
        let secret = Secret::new(
            format!("env:{AIRALO_SECRET}"),
            secrets.airalo.clone().into_bytes(),
        )?;
        let source = Source::new(
            "airalo".parse()?,
            Arc::new(Airalo),
            vec![secret],
            OnInvalidSignature::Reject,
        )?;
        let signs = standard_webhooks::parse_secret(LISTEN_SECRET, &secrets.listen)?;
        let (mut subscription, handler) = default_handler(&self.forward, signs)?;
        subscription.policy.retry = RetryPolicy::Delays(RETRIES.map(Duration::from_secs).to_vec());
        let projection = Subscription::new("airalo_orders", &["airalo.*"])?;
        Ok(Builder::new(url)?
            .source(source)
            .airalo_handler(projection)
            .http_handler(subscription, handler))
    }

    /// Starts a local Airalo in this process and adds an account for it.
    async fn with_airalo(
        &self,
        builder: Builder,
        address: SocketAddr,
        secrets: &mut Notes,
        stop: CancellationToken,
    ) -> anyhow::Result<Builder> {
        if !address.ip().is_loopback() {
            bail!(
                "a local Airalo listens only on a loopback address; nothing was started. Give --airalo a loopback address"
            );
        }
        let listener = bind(address, "--airalo").await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        secrets.add(AIRALO_URL, base_url.clone())?;
        secrets.add(AIRALO_ID, EMULATED.to_owned())?;
        let client_secret = SecretString::from(secrets.airalo.clone());
        let emulator = Emulator::new(EmulatorSettings {
            client_id: EMULATED.to_owned(),
            client_secret: client_secret.clone(),
            retry_every: Duration::from_secs(2),
            max_attempts: 20,
            limits: None,
            faults: FaultPlan::default(),
        })?;
        tokio::spawn(async move { emulator.serve(listener, stop).await });
        let client = Client::new(ClientSettings {
            base_url: base_url.clone(),
            client_id: EMULATED.to_owned(),
            client_secret,
            timeout: Duration::from_secs(30),
        })?;
        say(&format!(
            "a local Airalo is on {base_url}; try it:  hookfast airalo --help"
        ));
        let account = Account {
            source: "airalo".parse()?,
            client: Arc::new(client),
            every: Duration::from_secs(5),
        };
        Ok(builder.airalo(account))
    }
}

/// Returns a secret of `hookfast dev`: from the environment, or the one that was generated in this
/// folder.
pub(super) fn secret(name: &str) -> anyhow::Result<Option<String>> {
    if let Some(value) = secret_variable(name) {
        return Ok(Some(value));
    }
    match noted(name)? {
        None => Ok(None),
        Some(Note::Value(value)) => Ok(Some(value)),
        Some(Note::InEnvironment) => bail!(
            "the `hookfast dev` of this folder has {name} from its environment, which is not written to disk; nothing was sent or started. Set {name} here too"
        ),
    }
}

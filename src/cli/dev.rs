//! `hookfast dev`.

use super::{
    ConfigFile,
    declare::{bind, config, declare, default_handler, reload_on_hangup},
    process::{complain, say, secret_variable, stop_on_signal, variable},
    serve::Addresses,
};
use crate::airalo::{
    Account,
    client::{Client, ClientSettings},
    emulator::{Emulator, EmulatorSettings, Mishaps},
};
use crate::app::{Builder, Subscription};
use crate::cluster::{Cluster, ClusterOptions};
use crate::domain::RetryPolicy;
use crate::ingress::{OnInvalidSignature, Source};
use crate::signing::{Secret, standard_webhooks};
use crate::sources::airalo::Airalo;
use anyhow::{Context, bail};
use secrecy::SecretString;
use std::{
    fmt::Write,
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// What signs the webhooks that come in.
pub(super) const AIRALO_SECRET: &str = "AIRALO_CLIENT_SECRET";

/// What signs the webhooks that go out to `hookfast listen`.
pub(super) const LISTEN_SECRET: &str = "HOOKFAST_LISTEN_SECRET";

/// Where Airalo's API is, and who the partner is.
pub(super) const AIRALO_URL: &str = "AIRALO_BASE_URL";
pub(super) const AIRALO_ID: &str = "AIRALO_CLIENT_ID";

/// The partner of a local Airalo.
const EMULATED: &str = "emulated";

/// Where everything of `hookfast dev` is, in the folder it is started in.
const FOLDER: &str = ".hookfast";

/// Inside [`FOLDER`]: the generated secrets, for the other commands and for people.
const SECRETS: &str = "dev.env";

/// Delays that let a person watch.
const RETRIES: [u64; 8] = [1, 2, 5, 10, 30, 60, 300, 600];

/// Everything in one process, for trying out.
#[derive(clap::Args)]
pub(super) struct Dev {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    addresses: Addresses,
    /// Starts a local Airalo as well, to order from: its API is at this address (see `hookfast airalo emulate`).
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:9400", conflicts_with = "config")]
    airalo: Option<SocketAddr>,
    /// Where deliveries are pushed to where there is no configuration file: `hookfast listen` is there.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9090/")]
    forward: String,
}

impl Dev {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let given = secret_variable(AIRALO_SECRET).is_some() || self.file.config.is_some();
        let open = [self.addresses.listen, self.addresses.admin_listen].iter().any(|a| !a.ip().is_loopback());
        if open && !given {
            bail!(
                "`hookfast dev` listens beyond this machine only with a secret of yours, so nothing was started. Set {AIRALO_SECRET}, or leave the addresses alone"
            );
        }
        let stop = stop_on_signal()?;
        let secrets = Secrets::remember(Path::new(FOLDER))?;
        let (cluster, url) = match variable("DATABASE_URL") {
            Some(url) => (None, url),
            None => {
                let cluster = Cluster::start(ClusterOptions::in_dir(FOLDER)).await?;
                let url = cluster.url();
                (Some(cluster), url)
            }
        };
        let ran = self.serve(&url, &secrets, cluster.is_some(), stop).await;
        if let Some(cluster) = cluster {
            tokio::task::spawn_blocking(move || drop(cluster)).await?;
        }
        ran.map(|()| ExitCode::SUCCESS)
    }

    async fn serve(&self, url: &str, secrets: &Secrets, private: bool, stop: CancellationToken) -> anyhow::Result<()> {
        let builder = if self.file.config.is_some() {
            declare(url, &config(self.file.config.as_deref())?)?
        } else {
            self.without_file(url, secrets)?
        };
        let builder = match self.airalo {
            Some(address) => self.with_airalo(builder, address, secrets, stop.clone()).await?,
            None => builder,
        };
        let admin = bind(self.addresses.admin_listen, "HOOKFAST_ADMIN_LISTEN").await?;
        let ingress = bind(self.addresses.listen, "HOOKFAST_LISTEN").await?;
        self.greet(ingress.local_addr()?, private);
        let mut app = builder.admin(admin).ingress(ingress).build();
        reload_on_hangup(&mut app, self.file.config.clone())?;
        Ok(app.run(stop).await?)
    }

    fn without_file(&self, url: &str, secrets: &Secrets) -> anyhow::Result<Builder> {
        let secret = Secret::new(format!("env:{AIRALO_SECRET}"), secrets.airalo.clone().into_bytes())?;
        let source = Source::new("airalo".parse()?, Arc::new(Airalo), vec![secret], OnInvalidSignature::Reject)?;
        let signs = standard_webhooks::parse_secret(LISTEN_SECRET, &secrets.listen)?;
        let (mut subscription, handler) = default_handler(&self.forward, signs)?;
        subscription.policy.retry = RetryPolicy::Delays(RETRIES.map(Duration::from_secs).to_vec());
        let projection = Subscription::new("airalo_orders", &["airalo.*"])?;
        Ok(Builder::new(url)?.source(source).airalo_handler(projection).http_handler(subscription, handler))
    }

    /// A local Airalo beside us, and the account with it.
    async fn with_airalo(
        &self,
        builder: Builder,
        address: SocketAddr,
        secrets: &Secrets,
        stop: CancellationToken,
    ) -> anyhow::Result<Builder> {
        if !address.ip().is_loopback() {
            bail!(
                "a local Airalo listens on this machine alone; nothing was started. Give --airalo a loopback address"
            );
        }
        let listener = bind(address, "--airalo").await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        secrets.remember_airalo(&base_url)?;
        let client_secret = SecretString::from(secrets.airalo.clone());
        let emulator = Emulator::new(EmulatorSettings {
            client_id: EMULATED.to_owned(),
            client_secret: client_secret.clone(),
            retry_every: Duration::from_secs(2),
            tries: 20,
            limits: None,
            mishaps: Mishaps::default(),
        })?;
        tokio::spawn(async move { emulator.serve(listener, stop).await });
        let client = Client::new(ClientSettings {
            base_url: base_url.clone(),
            client_id: EMULATED.to_owned(),
            client_secret,
            timeout: Duration::from_secs(30),
        })?;
        say(&format!("a local Airalo is on {base_url}; try it:  hookfast airalo --help"));
        let account = Account { source: "airalo".parse()?, client: Arc::new(client), every: Duration::from_secs(5) };
        Ok(builder.airalo(account))
    }

    fn greet(&self, ingress: SocketAddr, private: bool) {
        let mut text = format!("hookfast takes webhooks on http://{ingress}/webhooks/airalo\n");
        if self.file.config.is_none() {
            let _ = writeln!(
                text,
                "and pushes them to {} (in another terminal, in this folder: hookfast listen)",
                self.forward
            );
        }
        let _ = writeln!(text, "try it:  hookfast send order.completed");
        if private {
            let _ =
                write!(text, "look:    psql \"$(cat {FOLDER}/database-url)\" -c 'SELECT * FROM hookfast.deliveries'");
        }
        say(text.trim_end());
    }
}

/// The secrets of this folder: the operator's, or random ones made at the first start.
struct Secrets {
    airalo: String,
    listen: String,
}

impl Secrets {
    fn remember(folder: &Path) -> anyhow::Result<Self> {
        let text = |random: [u8; 32]| standard_webhooks::secret_text(random);
        let airalo = secret_variable(AIRALO_SECRET).or_else(|| remembered(AIRALO_SECRET));
        let listen = secret_variable(LISTEN_SECRET).or_else(|| remembered(LISTEN_SECRET));
        let secrets = Self {
            airalo: airalo.unwrap_or_else(|| hex::encode(rand::random::<[u8; 32]>())),
            listen: listen.unwrap_or_else(|| text(rand::random())),
        };
        secrets.write(folder, "")?;
        Ok(secrets)
    }

    /// So that the other commands of this folder find it.
    fn remember_airalo(&self, base_url: &str) -> anyhow::Result<()> {
        self.write(Path::new(FOLDER), &format!("{AIRALO_URL}={base_url}\n{AIRALO_ID}={EMULATED}\n"))
    }

    fn write(&self, folder: &Path, more: &str) -> anyhow::Result<()> {
        let content = format!("{AIRALO_SECRET}={}\n{LISTEN_SECRET}={}\n{more}", self.airalo, self.listen);
        write_private(folder, &content)
            .with_context(|| format!("{FOLDER}/{SECRETS} cannot be written, so nothing was started"))
    }
}

/// Written anew under a temporary name, so that it never has other people's permissions, nor half a secret.
fn write_private(folder: &Path, content: &str) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let temporary = folder.join(format!("{SECRETS}.{}", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(content.as_bytes())?;
    fs::rename(temporary, folder.join(SECRETS))
}

/// What `hookfast dev` wrote down in this folder.
pub(super) fn noted(name: &str) -> Option<String> {
    let content = fs::read_to_string(Path::new(FOLDER).join(SECRETS)).ok()?;
    let value = content.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.map(str::to_owned).filter(|v| !v.is_empty())
}

/// Airalo's secret: the environment's, or the one that `hookfast dev` made in this folder.
pub(super) fn airalo_secret() -> Option<String> {
    secret_variable(AIRALO_SECRET).or_else(|| remembered(AIRALO_SECRET))
}

/// A secret that `hookfast dev` made in this folder.
pub(super) fn remembered(name: &str) -> Option<String> {
    let value = noted(name);
    if value.is_none() && Path::new(FOLDER).join(SECRETS).exists() {
        complain(&format!("hookfast: {FOLDER}/{SECRETS} holds no {name}; `hookfast dev` writes it anew"));
    }
    value
}

//! `hookfast dev`.

use super::{
    ConfigFile,
    declare::{bind, config, declare, default_handler},
    process::{complain, say, stop_on_signal, variable},
    serve::Addresses,
};
use crate::app::Builder;
use crate::cluster::{Cluster, ClusterOptions};
use crate::domain::RetryPolicy;
use crate::ingress::{OnInvalidSignature, Source};
use crate::signing::{Secret, standard_webhooks};
use crate::sources::airalo::Airalo;
use anyhow::{Context, bail};
use std::{
    fmt::Write,
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

/// What signs the webhooks that come in.
pub(super) const AIRALO_SECRET: &str = "AIRALO_CLIENT_SECRET";

/// What signs the webhooks that go out to `hookfast listen`.
pub(super) const LISTEN_SECRET: &str = "HOOKFAST_LISTEN_SECRET";

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
    /// Where deliveries are pushed to where there is no configuration file: `hookfast listen` is there.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9090/")]
    forward: String,
}

impl Dev {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let given = variable(AIRALO_SECRET).is_some() || self.file.config.is_some();
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

    async fn serve(
        &self,
        url: &str,
        secrets: &Secrets,
        private: bool,
        stop: tokio_util::sync::CancellationToken,
    ) -> anyhow::Result<()> {
        let (builder, watched) = if self.file.config.is_some() {
            let declared = declare(url, &config(self.file.config.as_deref())?)?;
            (declared.builder, Some(declared.secrets))
        } else {
            (self.without_file(url, secrets)?, None)
        };
        let admin = bind(self.addresses.admin_listen, "HOOKFAST_ADMIN_LISTEN").await?;
        let ingress = bind(self.addresses.listen, "HOOKFAST_LISTEN").await?;
        self.greet(ingress.local_addr()?, private);
        let app = builder.admin(admin).ingress(ingress).build();
        if let Some(watched) = watched {
            watched.watch(app.sources())?;
        }
        Ok(app.run(stop).await?)
    }

    fn without_file(&self, url: &str, secrets: &Secrets) -> anyhow::Result<Builder> {
        let secret = Secret::new(format!("env:{AIRALO_SECRET}"), secrets.airalo.clone().into_bytes())?;
        let source = Source::new("airalo".parse()?, Arc::new(Airalo), vec![secret], OnInvalidSignature::Reject)?;
        let signs = standard_webhooks::parse_secret(LISTEN_SECRET, &secrets.listen)?;
        let (mut subscription, handler) = default_handler(&self.forward, signs)?;
        subscription.policy.retry = RetryPolicy::Delays(RETRIES.map(Duration::from_secs).to_vec());
        Ok(Builder::new(url)?.source(source).http_handler(subscription, handler))
    }

    fn greet(&self, ingress: std::net::SocketAddr, private: bool) {
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
        let airalo = variable(AIRALO_SECRET).or_else(|| remembered(AIRALO_SECRET));
        let listen = variable(LISTEN_SECRET).or_else(|| remembered(LISTEN_SECRET));
        let secrets = Self {
            airalo: airalo.unwrap_or_else(|| hex::encode(rand::random::<[u8; 32]>())),
            listen: listen.unwrap_or_else(|| text(rand::random())),
        };
        let content = format!("{AIRALO_SECRET}={}\n{LISTEN_SECRET}={}\n", secrets.airalo, secrets.listen);
        write_private(folder, &content)
            .with_context(|| format!("{FOLDER}/{SECRETS} cannot be written, so nothing was started"))?;
        Ok(secrets)
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

/// A secret that `hookfast dev` made in this folder.
pub(super) fn remembered(name: &str) -> Option<String> {
    let content = fs::read_to_string(Path::new(FOLDER).join(SECRETS)).ok()?;
    let value = content.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    if value.is_none() {
        complain(&format!("hookfast: {FOLDER}/{SECRETS} holds no {name}; `hookfast dev` writes it anew"));
    }
    value.map(str::to_owned).filter(|v| !v.is_empty())
}

//! `hookfast airalo emulate`.

use crate::cli::{
    address::listen_address,
    declare::bind,
    dev::{self, AIRALO_SECRET},
    process::{say, stop_on_signal},
};
use crate::dev::airalo_emulator::{Emulator, EmulatorSettings, FaultPlan};
use anyhow::{Context, bail};
use secrecy::SecretString;
use std::{net::SocketAddr, process::ExitCode, time::Duration};

/// Shown by --help.
const PACKAGES: &str = "Packages that decide the result of an order:
  emulated-lost       completes, and its webhook is never sent
  emulated-new-order  its webhook is sent, and then again as another order with other SIMs
  emulated-duplicate  its webhook is sent twice
  emulated-failed     fails, and its webhook reports the failure
Packages that Airalo's sandbox rejects (such as test-out-of-stock-7days-1gb) are rejected; any other completes.";

#[derive(clap::Args)]
#[command(after_help = PACKAGES)]
pub(super) struct Emulate {
    /// Address of its API
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address, default_value = "127.0.0.1:9400")]
    listen: SocketAddr,
    /// ID of the partner
    #[arg(long, env = "AIRALO_CLIENT_ID", default_value = "emulated")]
    client_id: String,
    /// Milliseconds until a failed webhook is sent again. Airalo documents 15 minutes
    #[arg(long, value_name = "MS", default_value_t = 2000)]
    retry_every: u64,
    /// Maximum number of attempts to send a webhook
    #[arg(long, default_value_t = 20)]
    max_attempts: u32,
    /// Limit tokens to three and simulated webhooks to five per minute, as Airalo does
    #[arg(long)]
    limits: bool,
    /// Maximum milliseconds that an order takes
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    delay: u64,
    /// Share of orders that fail, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    failed: f64,
    /// Share of webhooks that are sent twice
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    duplicate: f64,
    /// Share of webhooks that are sent again as another order with other SIMs
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    new_order: f64,
    /// Share of webhooks that are never sent
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    lost: f64,
    /// Share of orders that are accepted and answered after 40 s
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    slow_answer: f64,
    /// Share of orders that are accepted and answered with an error
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    broken_answer: f64,
    /// Seed of the random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a share is 0 to 1, such as 0.1".to_owned())
}

impl Emulate {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        if !self.listen.ip().is_loopback() {
            bail!(
                "the emulator listens only on a loopback address, so nothing was started. Give a loopback address"
            );
        }
        let secret = dev::secret(AIRALO_SECRET)?;
        let secret = secret.with_context(|| {
            format!("there is no secret to sign with, so nothing was started. Set {AIRALO_SECRET}, or start `hookfast dev` in this folder first")
        })?;
        let faults = FaultPlan {
            failed: self.failed,
            duplicate: self.duplicate,
            new_order: self.new_order,
            lost: self.lost,
            slow_answer: self.slow_answer,
            broken_answer: self.broken_answer,
            delay: Duration::from_millis(self.delay),
            seed: self.seed,
            ..FaultPlan::default()
        };
        let emulator = Emulator::new(EmulatorSettings {
            client_id: self.client_id.clone(),
            client_secret: SecretString::from(secret),
            retry_every: Duration::from_millis(self.retry_every),
            max_attempts: self.max_attempts,
            limits: self.limits.then_some(Duration::from_secs(60)),
            faults,
        })?;
        let stop = stop_on_signal()?;
        let listener = bind(self.listen, "--listen").await?;
        let address = listener.local_addr()?;
        say(&format!(
            "a local Airalo is on http://{address}\n\
             in another terminal, in this folder:  export AIRALO_BASE_URL=http://{address} AIRALO_CLIENT_ID={}\n\
             then:  hookfast airalo opt-in async_orders --url http://127.0.0.1:8080/webhooks/airalo\n\
             its state:  curl http://{address}/emulator/state",
            self.client_id
        ));
        emulator.serve(listener, stop).await?;
        Ok(ExitCode::SUCCESS)
    }
}

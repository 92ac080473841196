//! `hookfast send`.

use super::{dev, process};
use crate::signing::Secret;
use crate::sources::airalo;
use anyhow::Context;
use std::{process::ExitCode, time::Duration};

/// Signs a sample or a file as Airalo does, and posts it.
#[derive(clap::Args)]
pub(super) struct Send {
    /// A sample's name (`hookfast send list` names them) or a file's path.
    what: String,
    /// Where to.
    #[arg(long, default_value = "http://127.0.0.1:8080/webhooks/airalo")]
    url: String,
    /// Which secret signs: env:NAME or file:/path. Without it AIRALO_CLIENT_SECRET, or the one of `hookfast dev` in
    /// this folder.
    #[arg(long, value_name = "REFERENCE")]
    secret: Option<String>,
    /// Signs with a random secret instead, as a forger would.
    #[arg(long)]
    forged: bool,
    /// Prints the body instead of sending it.
    #[arg(long)]
    print: bool,
}

impl Send {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        if self.what == "list" {
            airalo::sample_names().for_each(process::say);
            return Ok(ExitCode::SUCCESS);
        }
        let body = match airalo::sample(&self.what) {
            Some(sample) => sample.to_vec(),
            None => std::fs::read(&self.what).with_context(|| {
                format!("'{}' is neither a sample (`hookfast send list` names them) nor a file that can be read; nothing was sent", self.what)
            })?,
        };
        if self.print {
            process::say(&String::from_utf8_lossy(&body));
            return Ok(ExitCode::SUCCESS);
        }
        let (name, signature) = airalo::sign(&self.secret()?, &body);
        let client = crate::handlers::plain_client(&self.url, Duration::from_secs(5))?;
        let request =
            client.post(&self.url).header("content-type", "application/json").header(name, signature).body(body);
        let answer =
            request.send().await.with_context(|| format!("{} could not be reached, or did not answer", self.url))?;
        let status = answer.status();
        process::say(&format!("{} {}", status.as_u16(), answer.text().await.unwrap_or_default().trim()));
        Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn secret(&self) -> anyhow::Result<Secret> {
        if self.forged {
            return Ok(Secret::new("forged", rand::random::<[u8; 32]>().to_vec())?);
        }
        let text = match &self.secret {
            Some(reference) => process::secret_text(reference)?,
            None => dev::airalo_secret().context(
                "there is no secret to sign with; nothing was sent. Set AIRALO_CLIENT_SECRET, or start `hookfast dev` in this folder first",
            )?,
        };
        Ok(Secret::new("the secret that signs", text.into_bytes())?)
    }
}

//! `hookfast send`.

use super::{
    ConfigFile,
    declare::config,
    dev::{self, AIRALO_SECRET},
    folder,
    process::{self, say},
    samples::{self, Sample},
};
use crate::config::SourceConfig;
use crate::signing::{Secret, standard_webhooks};
use crate::sources::{SourceKind, airalo::Airalo, standard_webhooks::StandardWebhooks};
use anyhow::{Context, bail};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

#[derive(clap::Args)]
pub(super) struct Send {
    /// Name of a sample (`hookfast send list` lists them with their senders), or path of a file
    what: String,
    /// Source to sign for, with its configured kind and secrets. Default: the source named like the
    /// sample's sender, or the only one
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// URL to post to. Default: /webhooks/SOURCE at the `hookfast dev` of this folder, or at
    /// http://127.0.0.1:8080
    #[arg(long)]
    url: Option<String>,
    /// Additional header, for example "x-github-event: push". It replaces a header of the sample
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Reference of the signing secret: env:NAME or file:/path. Default: the first secret of the
    /// source
    #[arg(long, value_name = "REFERENCE")]
    secret: Option<String>,
    /// Sign with a random secret instead, as a forger would
    #[arg(long)]
    forged: bool,
    /// Print the body instead of sending it
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    file: ConfigFile,
}

/// The sender to sign for.
struct Sender {
    name: String,
    kind: Arc<dyn SourceKind>,
    /// `None` without a configuration.
    configured: Option<SourceConfig>,
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as \"name: value\"")?;
    let parsed = name
        .trim()
        .parse()
        .map_err(|_| format!("'{name}' is not a header name"))?;
    Ok((
        parsed,
        value
            .trim()
            .parse()
            .map_err(|_| format!("the value of {name} cannot be sent in a header"))?,
    ))
}

impl Send {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        if self.what == "list" {
            samples::all()
                .for_each(|sample| say(&format!("{:<30}  {}", sample.name, sample.sender)));
            return Ok(ExitCode::SUCCESS);
        }
        let sample = samples::named(&self.what);
        let body = match sample {
            Some(sample) => sample.body.to_vec(),
            None => std::fs::read(&self.what).with_context(|| {
                format!("'{}' is neither a sample (`hookfast send list` lists them) nor a file that can be read; nothing was sent", self.what)
            })?,
        };
        if self.print {
            say(&String::from_utf8_lossy(&body));
            return Ok(ExitCode::SUCCESS);
        }
        let sender = self.sender(sample)?;
        let headers = self.signed(&sender, sample, &body)?;
        let url = match &self.url {
            Some(url) => url.clone(),
            None => {
                let base = folder::noted_value(folder::URL)?;
                format!(
                    "{}/webhooks/{}",
                    base.as_deref().unwrap_or("http://127.0.0.1:8080"),
                    sender.name
                )
            }
        };
        post(&url, headers, body).await
    }

    fn sender(&self, sample: Option<Sample>) -> anyhow::Result<Sender> {
        let Some(file) = self.file.here()? else {
            let name = self
                .source
                .clone()
                .or(sample.map(|sample| sample.sender.to_owned()));
            let name = name.unwrap_or_else(|| Airalo::NAME.to_owned());
            if name != Airalo::NAME {
                bail!(
                    "without a configuration only the source {} is known, so nothing was sent. Name the file that has [sources.{name}] with --config",
                    Airalo::NAME
                );
            }
            return Ok(Sender {
                name,
                kind: Arc::new(Airalo),
                configured: None,
            });
        };
        let mut sources = config(Some(&file))?.sources;
        let names: Vec<String> = sources
            .iter()
            .map(|source| source.name.to_string())
            .collect();
        let at = |name: &str| names.iter().position(|known| known == name);
        let found = match (&self.source, sample) {
            (Some(name), _) => at(name),
            (None, Some(sample)) => at(sample.sender).or((names.len() == 1).then_some(0)),
            (None, None) => (names.len() == 1).then_some(0),
        };
        let Some(found) = found else {
            bail!(
                "the source is ambiguous or unknown, so nothing was sent. Name one with --source; {} has: {}",
                file.display(),
                names.join(", ")
            )
        };
        let source = sources.swap_remove(found);
        Ok(Sender {
            name: source.name.to_string(),
            kind: source.kind.clone(),
            configured: Some(source),
        })
    }

    /// Merges the headers of the sample, of the signature and of the command line. Later ones
    /// replace earlier ones.
    fn signed(
        &self,
        sender: &Sender,
        sample: Option<Sample>,
        body: &[u8],
    ) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        for (name, value) in sample.map(|sample| sample.headers).unwrap_or_default() {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let id = uuid::Uuid::now_v7().to_string();
        let signed = sender
            .kind
            .sign(&self.secret(sender)?, &id, body, SystemTime::now());
        headers.extend(signed.with_context(|| {
            format!(
                "this program cannot sign for the kind '{}'; nothing was sent",
                sender.kind.name()
            )
        })?);
        headers.extend(self.headers.iter().cloned());
        Ok(headers)
    }

    fn secret(&self, sender: &Sender) -> anyhow::Result<Secret> {
        const LABEL: &str = "the signing secret";
        if self.forged {
            return Ok(Secret::new("forged", rand::random::<[u8; 32]>().to_vec())?);
        }
        let text = match (&self.secret, &sender.configured) {
            (Some(reference), _) => process::secret_text(reference)?,
            (None, Some(source)) => {
                let secrets = source.read_secrets()?;
                return secrets.into_iter().next().context("the source has no secret; nothing was sent");
            }
            (None, None) => dev::secret(AIRALO_SECRET)?.context(
                "there is no secret to sign with; nothing was sent. Set AIRALO_CLIENT_SECRET, or start `hookfast dev` in this folder first",
            )?,
        };
        if sender.kind.name() == StandardWebhooks::NAME {
            return Ok(standard_webhooks::parse_secret(LABEL, &text)?);
        }
        Ok(Secret::new(LABEL, text.into_bytes())?)
    }
}

async fn post(url: &str, headers: HeaderMap, body: Vec<u8>) -> anyhow::Result<ExitCode> {
    let client = crate::handlers::plain_client(url, Duration::from_secs(5))?;
    let sent = client.post(url).headers(headers).body(body).send().await;
    let answer = sent.map_err(reqwest::Error::without_url).with_context(|| {
        format!("{url} could not be reached, or did not answer. Start `hookfast dev` in this folder, or give --url")
    })?;
    let status = answer.status();
    say(&format!(
        "{} {}",
        status.as_u16(),
        answer.text().await.unwrap_or_default().trim()
    ));
    Ok(if status.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

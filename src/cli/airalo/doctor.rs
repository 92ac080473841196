//! `hookfast airalo doctor`.

use super::{
    account::{Account, AccountArguments},
    notifications::head,
};
use crate::airalo::client::{ApiError, NotificationType};
use crate::cli::operate::shell::{self, Output};
use crate::cli::{
    dev::{self, AIRALO_SECRET},
    process::{chain, say},
};
use crate::signing::Secret;
use crate::sources::{SourceKind, airalo};
use crate::store::{Bind, List};
use axum::http::{HeaderMap, HeaderValue};
use std::{process::ExitCode, time::SystemTime};

/// A new partner's first hour.
#[derive(clap::Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    account: AccountArguments,
}

/// What was looked at, and what came out.
struct Findings {
    wrong: usize,
}

impl Findings {
    fn good(&self, text: &str) {
        say(&format!("ok     {text}"));
    }

    fn note(&self, text: &str) {
        say(&format!("note   {text}"));
    }

    fn wrong(&mut self, text: &str) {
        self.wrong += 1;
        say(&format!("WRONG  {text}"));
    }
}

impl Doctor {
    /// Ends with 1 where anything is wrong.
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let account = self.account.open()?;
        let mut findings = Findings { wrong: 0 };
        match account.client.check_credentials().await {
            Ok(()) => {
                findings.good("credentials: Airalo gave a token");
                opt_ins(&account, &mut findings).await;
            }
            Err(error @ ApiError::Unauthorized) => findings.wrong(&format!("credentials: {error}")),
            Err(error) => findings.wrong(&format!("credentials: no token came: {error}")),
        }
        if let Err(error) = quarantined(&account, &mut findings).await {
            findings.note(&format!("quarantine: not looked at: {}", chain(&error)));
        }
        Ok(if findings.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn opt_ins(account: &Account, findings: &mut Findings) {
    for kind in NotificationType::ALL {
        let wanted = account.api.as_ref().and_then(|api| api.opt_in.get(kind.as_str()));
        let setting = match account.client.setting(kind).await {
            Ok(setting) => setting,
            Err(error) => {
                findings.wrong(&format!("{kind}: {error}"));
                continue;
            }
        };
        match (setting, wanted) {
            (None, Some(wanted)) => {
                findings.wrong(&format!("{kind}: not opted in; hookfast airalo opt-in {kind} --url {wanted}"));
            }
            (None, None) if kind == NotificationType::AsyncOrders => findings.wrong(&format!(
                "{kind}: not opted in, so results of orders go nowhere; hookfast airalo opt-in {kind} --url https://…/webhooks/airalo/{kind}"
            )),
            (None, None) => findings.note(&format!("{kind}: not opted in")),
            (Some(setting), wanted) => {
                if wanted.is_some_and(|wanted| *wanted != setting.contact_point) {
                    findings.wrong(&format!("{kind}: goes to {}, and the configuration wants it otherwise", setting.contact_point));
                }
                if kind.is_email() {
                    findings.good(&format!("{kind}: goes to {}", setting.contact_point));
                    continue;
                }
                match head(&setting.contact_point).await {
                    Ok(()) => findings.good(&format!("{kind}: goes to {}, which answers HEAD from here", setting.contact_point)),
                    Err(error) => findings.wrong(&format!("{kind}: {}", chain(&error))),
                }
            }
        }
    }
}

/// Whether a secret of ours made the last signature that was refused: then it was only not known to the server.
async fn quarantined(account: &Account, findings: &mut Findings) -> anyhow::Result<()> {
    let mut shell = shell::open(Output::default()).await?;
    let last = List::of("quarantine", "*", "last_at DESC").is("source", Some(Bind::text(&account.source))).limit(1);
    let last = shell.console.list(last).await?.pop();
    shell.done().await?;
    let Some(last) = last else {
        findings.good("quarantine: no request was refused");
        return Ok(());
    };
    let signature = last["headers"][airalo::SIGNATURE_HEADER].as_str().unwrap_or_default();
    let body = last["body"].as_str().and_then(|text| hex::decode(text.strip_prefix("\\x")?).ok());
    let Some(body) = body else {
        findings.note("quarantine: requests were refused; whether a secret fits is seen by operators only");
        return Ok(());
    };
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(signature) {
        headers.insert(airalo::SIGNATURE_HEADER, value);
    }
    let secrets = secrets(account)?;
    let (when, id) = (&last["last_at"], &last["quarantine_id"]);
    match airalo::Airalo.verify(&headers, &body, &secrets, SystemTime::now()) {
        Ok(secret) => findings.wrong(&format!(
            "quarantine: the last request that was refused ({id}, {when}) was signed with {}: the server has not read it. \
             Send it SIGHUP or start it anew, and let in what was refused: hookfast quarantine reverify",
            secret.label()
        )),
        Err(_) => findings.wrong(&format!(
            "quarantine: the last request that was refused ({id}, {when}) was signed with none of our secrets. Compare \
             client_secret with the partner portal; where that is right, somebody else sent it"
        )),
    }
    Ok(())
}

fn secrets(account: &Account) -> anyhow::Result<Vec<Secret>> {
    if let Some(configured) = &account.configured {
        return Ok(configured.read_secrets()?);
    }
    let secret = dev::secret(AIRALO_SECRET)?.unwrap_or_default();
    Ok(vec![Secret::new(format!("env:{AIRALO_SECRET}"), secret.into_bytes())?])
}

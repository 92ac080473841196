//! `hookfast airalo doctor`.

use super::{
    account::{Account, AccountArguments},
    notifications::head,
};
use crate::airalo::client::ApiError;
use crate::cli::{
    dev::{self, AIRALO_SECRET},
    findings::{Finding, print_findings},
    operate::session::{self, Output},
    process::chain,
    words::counted,
};
use crate::signing::Secret;
use crate::sources::{
    Rejection, SourceKind,
    airalo::{self, NotificationType},
};
use crate::store::catalog::views;
use crate::store::{SqlArg, ViewQuery};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::{process::ExitCode, time::SystemTime};

/// How many quarantined requests are verified with our secrets, newest first.
const TRIED: u32 = 100;

#[derive(clap::Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    account: AccountArguments,
}

impl Doctor {
    /// Exits with 1 if anything is wrong.
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let account = self.account.open()?;
        let mut findings = Vec::new();
        match account.client.check_credentials().await {
            Ok(()) => {
                findings.push(Finding::Ok("credentials: Airalo issued a token".to_owned()));
                opt_ins(&account, &mut findings).await;
            }
            Err(error @ ApiError::Unauthorized) => {
                findings.push(Finding::Error(format!("credentials: {error}")))
            }
            Err(error) => findings.push(Finding::Error(format!(
                "credentials: no token received: {error}"
            ))),
        }
        if let Err(error) = quarantined(&account, &mut findings).await {
            findings.push(Finding::Note(format!(
                "quarantine: not checked: {}",
                chain(&error)
            )));
        }
        Ok(print_findings(&findings))
    }
}

async fn opt_ins(account: &Account, findings: &mut Vec<Finding>) {
    for kind in NotificationType::ALL {
        let wanted = account
            .api
            .as_ref()
            .and_then(|api| api.opt_in.get(kind.as_str()));
        let setting = match account.client.setting(kind).await {
            Ok(setting) => setting,
            Err(error) => {
                findings.push(Finding::Error(format!("{kind}: {error}")));
                continue;
            }
        };
        match (setting, wanted) {
            (None, Some(wanted)) => {
                findings.push(Finding::Error(format!("{kind}: not opted in; hookfast airalo opt-in {kind} --url {wanted}")));
            }
            (None, None) if kind == NotificationType::AsyncOrders => findings.push(Finding::Error(format!(
                "{kind}: not opted in, so results of orders are not sent; hookfast airalo opt-in {kind} --url https://…/webhooks/airalo/{kind}"
            ))),
            (None, None) => findings.push(Finding::Note(format!("{kind}: not opted in"))),
            (Some(setting), wanted) => {
                if wanted.is_some_and(|wanted| *wanted != setting.contact_point) {
                    findings.push(Finding::Error(format!("{kind}: is sent to {}, which differs from the configuration", setting.contact_point)));
                }
                if kind.is_email() {
                    findings.push(Finding::Ok(format!("{kind}: is sent to {}", setting.contact_point)));
                    continue;
                }
                match head(&setting.contact_point).await {
                    Ok(()) => findings.push(Finding::Ok(format!("{kind}: is sent to {}, which answers HEAD from here", setting.contact_point))),
                    Err(error) => findings.push(Finding::Error(format!("{kind}: {}", chain(&error)))),
                }
            }
        }
    }
}

/// Checks whether one of our secrets made a rejected signature. If so, the server has not read that
/// secret yet.
async fn quarantined(account: &Account, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
    let refused = || {
        ViewQuery::of(&views::QUARANTINE)
            .order("last_at DESC")
            .is("source", Some(SqlArg::text(&account.source)))
    };
    // Only a whole body with a signature can be verified. The rest can be from anybody.
    let signed = refused().is(
        "reason",
        Some(SqlArg::text(Rejection::WrongSignature.as_str())),
    );
    let signed = signed
        .is("is_excerpt", Some(SqlArg::flag(false)))
        .limit(TRIED);
    let mut session = session::open(Output::default()).await?;
    let any = !session.console.list(refused().limit(1)).await?.is_empty();
    let signed = session.console.list(signed).await?;
    session.done().await?;
    if !any {
        findings.push(Finding::Ok(
            "quarantine: no request was rejected".to_owned(),
        ));
        return Ok(());
    }
    let Some(last) = signed.first() else {
        findings.push(Finding::Note("quarantine: requests were rejected, and none can be verified again: they have no usable signature, or their body \
             was too long to be kept whole. hookfast quarantine shows them".to_owned()));
        return Ok(());
    };
    let bodies: Vec<_> = signed
        .iter()
        .filter_map(|row| Some((row, body(row)?)))
        .collect();
    if bodies.is_empty() {
        findings.push(Finding::Note(
            "quarantine: requests were rejected; only operators can check whether a secret matches"
                .to_owned(),
        ));
        return Ok(());
    }
    let secrets = secrets(account)?;
    let fits = |row: &Value, body: &[u8]| {
        let secret = airalo::Airalo
            .verify(&headers(row), body, &secrets, SystemTime::now())
            .ok()?;
        Some(secret.label().to_owned())
    };
    match bodies.iter().find_map(|(row, body)| Some((*row, fits(row, body)?))) {
        Some((row, secret)) => findings.push(Finding::Error(format!(
            "quarantine: a rejected request ({}, {}) was signed with {secret}: the server has not read this secret. Send it \
             SIGHUP or restart it, then verify the rejected requests again: hookfast quarantine reverify --why REASON",
            row["quarantine_id"], row["last_at"]
        ))),
        None => findings.push(Finding::Error(format!(
            "quarantine: the last {} rejected with a signature (the newest: {}, {}) were signed with none of our \
             secrets. Compare client_secret with the partner portal; if it is correct, somebody else sent them",
            counted(bodies.len(), "requests"),
            last["quarantine_id"],
            last["last_at"]
        ))),
    }
    Ok(())
}

fn body(row: &Value) -> Option<Vec<u8>> {
    hex::decode(row["body"].as_str()?.strip_prefix("\\x")?).ok()
}

fn headers(row: &Value) -> HeaderMap {
    let signature = row["headers"][airalo::SIGNATURE_HEADER]
        .as_str()
        .and_then(|text| HeaderValue::from_str(text).ok());
    let header = |value| (HeaderName::from_static(airalo::SIGNATURE_HEADER), value);
    signature.into_iter().map(header).collect()
}

fn secrets(account: &Account) -> anyhow::Result<Vec<Secret>> {
    if let Some(configured) = &account.configured {
        return Ok(configured.read_secrets()?);
    }
    let secret = dev::secret(AIRALO_SECRET)?.unwrap_or_default();
    Ok(vec![Secret::new(
        format!("env:{AIRALO_SECRET}"),
        secret.into_bytes(),
    )?])
}

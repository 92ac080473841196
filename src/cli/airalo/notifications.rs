//! Commands for opt-ins and for Airalo's simulator.

use super::account::{Account, AccountArguments};
use crate::airalo::client::Simulated;
use crate::cli::{
    operate::session,
    process::{complain, say},
    table,
};
use crate::handlers::plain_client;
use crate::sources::airalo::NotificationType;
use anyhow::{Context, bail};
use serde_json::json;
use std::{process::ExitCode, time::Duration};

#[derive(clap::Args)]
pub(super) struct OptIn {
    /// async_orders, webhook_low_data, webhook_credit_limit, email_low_data or email_credit_limit
    kind: NotificationType,
    /// URL for webhooks. Give each type its own path, such as
    /// https://…/webhooks/airalo/async_orders
    #[arg(long, required_unless_present = "email")]
    url: Option<String>,
    /// Address for e-mails
    #[arg(long, conflicts_with = "url")]
    email: Option<String>,
    #[command(flatten)]
    account: AccountArguments,
}

#[derive(clap::Args)]
pub(super) struct OptOut {
    /// async_orders, webhook_low_data, webhook_credit_limit, email_low_data or email_credit_limit
    kind: NotificationType,
    #[command(flatten)]
    account: AccountArguments,
}

#[derive(clap::Args)]
pub(super) struct Status {
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArguments,
}

#[derive(clap::Args)]
pub(super) struct Simulate {
    /// low_data.data_75, low_data.data_90, low_data.expire_3, low_data.expire_1, credit_limit.50,
    /// .70, .80, .90, async_order, or all. Airalo sends five per minute
    what: String,
    /// ICCID of the SIM
    #[arg(long)]
    iccid: Option<String>,
    /// URL to send it to, instead of the URL of the opt-in
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    account: AccountArguments,
}

/// Sends the request by which Airalo checks a URL: 200, no redirect, no signature.
pub(super) async fn head(url: &str) -> anyhow::Result<()> {
    let client = plain_client(url, Duration::from_secs(5))
        .with_context(|| format!("'{url}' is not a valid URL for webhooks"))?;
    let answer = client
        .head(url)
        .timeout(Duration::from_secs(10))
        .send()
        .await;
    let status = answer
        .map_err(|error| error.without_url())
        .with_context(|| format!("{url} does not answer HEAD"))?
        .status();
    match status.as_u16() {
        200 => Ok(()),
        300..=399 => {
            bail!(
                "{url} answers HEAD with {status}: Airalo wants 200 without a redirect. Give the URL that it redirects to"
            )
        }
        405 => bail!(
            "{url} answers HEAD with 405: the path takes only other methods. Is it /webhooks/ and the source's name?"
        ),
        _ => bail!("{url} answers HEAD with {status}: Airalo wants 200"),
    }
}

impl OptIn {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Account { client, .. } = self.account.open()?;
        let to = match (&self.url, &self.email) {
            (Some(url), _) if !self.kind.is_email() => {
                head(url)
                    .await
                    .context("Airalo would refuse it, so nothing was sent")?;
                complain(&format!(
                    "{url} answers HEAD with 200 from here. Airalo checks from outside: the URL must be reachable from the internet"
                ));
                url
            }
            (_, Some(email)) if self.kind.is_email() => email,
            _ => bail!(
                "{} takes {}; nothing was sent",
                self.kind,
                if self.kind.is_email() {
                    "--email"
                } else {
                    "--url"
                }
            ),
        };
        let setting = client.opt_in(self.kind, to).await?;
        say(&format!(
            "{} is sent to {}",
            setting.kind, setting.contact_point
        ));
        Ok(ExitCode::SUCCESS)
    }
}

impl OptOut {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        self.account.open()?.client.opt_out(self.kind).await?;
        say(&format!("{}: opted out", self.kind));
        Ok(ExitCode::SUCCESS)
    }
}

impl Status {
    /// Exits with 1 if a setting differs from the configuration.
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let account = self.account.open()?;
        let mut rows = Vec::new();
        let mut as_wanted = true;
        for kind in NotificationType::ALL {
            let setting = account.client.setting(kind).await?;
            let contact_point = setting.map(|setting| setting.contact_point);
            let wanted = account
                .api
                .as_ref()
                .and_then(|api| api.opt_in.get(kind.as_str()));
            let message = match (&contact_point, wanted) {
                (Some(is), Some(wanted)) if is == wanted => "as configured",
                (_, Some(_)) => {
                    as_wanted = false;
                    "differs from the configuration: hookfast airalo opt-in"
                }
                (Some(_), None) => "not in the configuration",
                (None, None) => "not opted in",
            };
            rows.push(json!({"type": kind.as_str(), "contact_point": contact_point, "configured": wanted, "message": message}));
        }
        if self.json {
            rows.iter().for_each(|row| say(&row.to_string()));
        } else {
            say(table::rows(
                &rows,
                &["type", "contact_point", "configured", "message"],
                session::width(),
            )
            .trim_end());
        }
        Ok(if as_wanted {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

impl Simulate {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let all = match self.what.as_str() {
            "all" => Simulated::ALL.to_vec(),
            one => vec![one.parse::<Simulated>()?],
        };
        let Account { client, .. } = self.account.open()?;
        for what in all {
            client
                .simulate(what, self.iccid.as_deref(), self.url.as_deref())
                .await?;
            say(&format!("{what} was sent"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

//! Commands that place, list, expect and reconcile orders.

use super::account::{Account, AccountArguments};
use crate::airalo::{
    self, Found, PlaceError, Reconciler,
    client::{NewOrder, Outcome},
    place_order, place_order_again,
};
use crate::cli::operate::session::{self, Confirmation, Output};
use crate::cli::{
    process::{complain, database_url_here, say},
    table,
};
use crate::domain::SourceName;
use crate::store::catalog::{functions, views};
use crate::store::{
    Database, DatabaseClock, FunctionCall, Role, SqlArg, ViewQuery, last_order_described,
    source_ids,
};
use anyhow::{Context, bail};
use serde_json::json;
use std::{process::ExitCode, sync::Arc, time::Duration};

#[derive(clap::Args)]
pub(super) struct Order {
    /// ID of the package
    package: String,
    /// Number of eSIMs, 1 to 50
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=50))]
    quantity: u8,
    /// Your identifier, by which the order is found again. Default: a random one
    #[arg(long)]
    description: Option<String>,
    /// Order even if the description was used before. This is a second order, and it is charged
    #[arg(long)]
    again: bool,
    /// URL for the result, instead of the URL of the opt-in
    #[arg(long)]
    webhook_url: Option<String>,
    /// Minutes within which the result is expected. After that, Hookfast searches for it
    #[arg(long, value_name = "MINUTES", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    within: u32,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    account: AccountArguments,
}

#[derive(clap::Args)]
pub(super) struct Orders {
    /// Only orders in this state: expected, overdue, unknown, completed or failed
    #[arg(long)]
    state: Option<String>,
    /// Only orders with this description
    #[arg(long)]
    description: Option<String>,
    /// Only possible double purchases
    #[arg(long)]
    double: bool,
    /// List Airalo's own orders instead: the newest fifty, or those with the description
    #[arg(long, conflicts_with_all = ["state", "double"])]
    remote: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    account: AccountArguments,
}

#[derive(clap::Args)]
pub(super) struct Expect {
    /// ID of the request, from the answer to the order
    request_id: String,
    /// Description of the order
    #[arg(long)]
    description: String,
    /// Minutes within which the result is expected
    #[arg(long, value_name = "MINUTES", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    within: u32,
    /// Source, if there are several of kind airalo
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(super) struct Reconcile {
    #[command(flatten)]
    account: AccountArguments,
}

/// The maximum number of orders in a list.
const SHOWN: u32 = 100;

const COLUMNS: [&str; 9] = [
    "description",
    "state",
    "order_id",
    "package_id",
    "quantity",
    "possible_double_purchase",
    "request_id",
    "expected_by",
    "reason",
];

impl Order {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Account { source, client, .. } = self.account.open()?;
        let database: Database = database_url_here()?.parse()?;
        let description = self
            .description
            .unwrap_or_else(|| format!("hookfast-{}", uuid::Uuid::now_v7().simple()));
        let pool = database.pool(Role::General, 1);
        let used = last_order_described(&pool, &source, &description)
            .await
            .context("nothing was ordered")?;
        if let Some(used) = used {
            if !self.again {
                bail!(
                    "{}. --again orders a second time",
                    PlaceError::Used(description, used)
                );
            }
            complain(&format!(
                "'{description}' was {used}: this is a second order, and it is charged"
            ));
        }
        complain(&format!(
            "would order {} × {}, as '{description}'",
            self.quantity, self.package
        ));
        complain(&cost(&self.package, self.quantity).await?);
        if !session::confirmed(self.confirmation)? {
            return Ok(ExitCode::FAILURE);
        }
        let order = NewOrder {
            package_id: self.package,
            quantity: self.quantity,
            description: description.clone(),
            webhook_url: self.webhook_url,
        };
        let within = Duration::from_secs(u64::from(self.within) * 60);
        let placed = match self.again {
            true => place_order_again(&pool, &client, &source, &order, within).await,
            false => place_order(&pool, &client, &source, &order, within).await,
        };
        pool.close().await;
        let placed = placed?;
        say(&format!(
            "Airalo accepted it as {}; the result arrives by webhook: hookfast airalo orders --description {description}",
            placed.request_id
        ));
        Ok(ExitCode::SUCCESS)
    }
}

/// Airalo does not report a price before the order, so this uses the price of the last order of the
/// package.
async fn cost(package: &str, quantity: u8) -> anyhow::Result<String> {
    let mut session = session::open(Output::default()).await?;
    let last = ViewQuery::of(&views::AIRALO_ORDERS)
        .is("package_id", Some(SqlArg::text(package)))
        .is("state", Some(SqlArg::text("completed")))
        .limit(1);
    let last = session.console.list(last).await?.pop();
    session.done().await?;
    let price = last
        .as_ref()
        .and_then(|last| Some((last["net_price"].as_f64()?, last["currency"].as_str()?)));
    Ok(match (last.as_ref(), price) {
        (Some(last), Some((price, currency))) => format!(
            "the last order of this package ({}) cost {price} {currency} each, so this costs about {:.2} {currency}",
            table::cell("ordered_at", &last["ordered_at"]),
            price * f64::from(quantity)
        ),
        _ => {
            "the price is unknown: no earlier order of this package is stored. The partner portal shows it"
                .to_owned()
        }
    })
}

impl Orders {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        if self.remote {
            return self.remote().await;
        }
        let list = ViewQuery::of(&views::AIRALO_ORDERS)
            .order("coalesce(received_at, placed_at) DESC NULLS LAST")
            .is("state", self.state.map(SqlArg::text))
            .is("description", self.description.map(SqlArg::text))
            .is(
                "possible_double_purchase",
                self.double.then(|| SqlArg::flag(true)),
            )
            .limit(SHOWN + 1);
        let mut session = session::open(self.output).await?;
        let mut rows = session.console.list(list).await?;
        let more = rows.len() > SHOWN as usize;
        rows.truncate(SHOWN as usize);
        session.print(&rows, &COLUMNS, "no such orders");
        if more {
            complain(&format!(
                "only the first {SHOWN} are shown. Filter with --state or --description, or query hookfast.airalo_orders in SQL"
            ));
        }
        session.done().await
    }

    async fn remote(self) -> anyhow::Result<ExitCode> {
        let Account { client, .. } = self.account.open()?;
        let orders = match &self.description {
            Some(description) => client.orders_described(description).await?,
            None => client.newest_orders(1).await?,
        };
        let rows: Vec<_> = orders
            .iter()
            .map(|order| {
                let state = match &order.outcome {
                    Outcome::Completed => "completed",
                    Outcome::Failed { .. } => "failed",
                    Outcome::Open { status } => status,
                };
                json!({"order_id": order.id, "code": order.code, "created_at": order.created_at, "state": state,
                    "package_id": order.package_id, "description": order.description})
            })
            .collect();
        let columns = [
            "order_id",
            "created_at",
            "state",
            "package_id",
            "description",
            "code",
        ];
        if rows.is_empty() {
            complain("Airalo lists no such orders");
        } else if self.output.is_json() {
            rows.iter().for_each(|row| say(&row.to_string()));
        } else {
            say(table::rows(&rows, &columns, session::width()).trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Expect {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let call = FunctionCall::of(&functions::AIRALO_EXPECT_ORDER)
            .with("request_id", Some(SqlArg::text(&self.request_id)))
            .with("description", Some(SqlArg::text(&self.description)))
            .with(
                "expected_within",
                Some(SqlArg::span(format!("{} minutes", self.within))),
            )
            .with("source", self.source.map(SqlArg::text));
        let done = format!(
            "the result of {} is expected; hookfast airalo orders --description {}",
            self.request_id, self.description
        );
        session::open(self.output).await?.act(call, &done).await
    }
}

impl Reconcile {
    /// Exits with 1 if an order was not found.
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Account { source, client, .. } = self.account.open()?;
        let database: Database = database_url_here()?.parse()?;
        let pool = database.pool(Role::General, 1);
        let ids = source_ids(&pool)
            .await
            .context("nothing was searched for")?;
        let name: SourceName = source.parse()?;
        if !ids.contains_key(&name) {
            bail!(
                "the database has no source '{source}', so nothing was searched for. Start `hookfast serve` with it once, or name another with --source"
            );
        }
        let account = airalo::Account {
            source: name,
            client: Arc::new(client),
            every: Duration::from_secs(60),
        };
        let clock = DatabaseClock::default();
        let reconciler =
            Reconciler::new(pool.clone(), database, clock, &ids, vec![account], |_| {});
        let findings = reconciler
            .reconcile_now(&source)
            .await
            .context("not every order was searched for")?;
        pool.close().await;
        let mut missing = 0;
        for finding in &findings {
            let message = match &finding.found {
                Found::Results { orders, new: 0 } => {
                    format!("already known: {}", orders.join(", "))
                }
                Found::Results { orders, .. } => {
                    format!("found and stored: {}", orders.join(", "))
                }
                Found::Nothing(why) => {
                    missing += 1;
                    why.clone()
                }
            };
            say(&format!("{}: {message}", finding.description));
        }
        say(&format!(
            "searched for {}, {missing} not found",
            findings.len()
        ));
        Ok(if missing == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

//! Reconciliation: looks for orders whose webhook is missing in Airalo's list, and stores their
//! results.
//!
//! A result is stored with the idempotency key that its webhook would have, so a late webhook is a
//! duplicate. If the request id is not known, the result has the key of the order number, which the
//! webhook has too, and a second key of the expected order.

use super::{
    client::{ApiError, Client, ListedOrder, Outcome},
    written,
};
use crate::domain::{IdempotencyKey, Origin, SourceName, Verdict};
use crate::sources::{SourceKind, Verified, VerifiedRequest, airalo::Airalo};
use crate::store::{
    Connection, Database, DatabaseClock, ExpectedOrder, NewEvent, Role, SourceId, StoreError,
    make_orders_due, order_is_missing, order_is_of_request, orders_of_other_requests,
    schedule_order_check, take_due_orders,
};
use crate::throttle::throttled;
use serde_json::json;
use sqlx::PgPool;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_util::sync::CancellationToken;

/// The number of orders that one round looks for. Airalo's API is not made for more.
const BATCH: i64 = 20;

/// Clocks differ, so an order that Airalo dates this much earlier than our request may still be
/// ours.
const CLOCKS: Duration = Duration::from_secs(600);

/// An account at Airalo, with the client that calls its API.
#[derive(Clone)]
pub struct Account {
    /// The source that receives the account's webhooks.
    pub source: SourceName,
    /// The client of the account's API.
    pub client: Arc<Client>,
    /// How often overdue orders are searched. After a search, an order is due again after this
    /// time, and less often with each search.
    pub every: Duration,
}

/// The result of one search for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the account's source.
    pub source: String,
    /// The request id of the order, if it is known.
    pub request_id: Option<String>,
    /// The description by which the order was searched.
    pub description: String,
    /// What the search found.
    pub found: Found,
}

/// What a search in Airalo's list found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// One or more results.
    Results {
        /// Airalo's numbers of the orders.
        orders: Vec<String>,
        /// How many of the results were not stored before.
        new: usize,
    },
    /// No result. Holds the reason as a sentence.
    Nothing(String),
}

/// Looks for overdue orders. Processes share the work: each search is done by one process only.
pub struct Reconciler {
    pool: PgPool,
    database: Database,
    clock: DatabaseClock,
    accounts: Vec<(SourceId, Account)>,
    stored: Box<dyn Fn(usize) + Send + Sync>,
}

impl Reconciler {
    /// Makes a reconciler for the accounts whose sources are registered. It calls `stored` with the
    /// number of new events. They do not count as requests of the source: otherwise the source
    /// would seem healthy while all of its webhooks are rejected.
    pub fn new(
        pool: PgPool,
        database: Database,
        clock: DatabaseClock,
        ids: &HashMap<SourceName, SourceId>,
        accounts: Vec<Account>,
        stored: impl Fn(usize) + Send + Sync + 'static,
    ) -> Self {
        let accounts = accounts
            .into_iter()
            .filter_map(|account| Some((*ids.get(&account.source)?, account)))
            .collect();
        Self {
            pool,
            database,
            clock,
            accounts,
            stored: Box::new(stored),
        }
    }

    /// Runs until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let Some(every) = self.accounts.iter().map(|(_, account)| account.every).min() else {
            return;
        };
        while stop
            .run_until_cancelled(tokio::time::sleep(every))
            .await
            .is_some()
        {
            match self.round().await {
                Ok(findings) => findings.iter().for_each(log_finding),
                Err(error) => {
                    throttled!(warn, %error, "reconciliation failed, retrying")
                }
            }
        }
    }

    /// Searches once for each order of a source that has no result, even if it is not overdue.
    ///
    /// # Errors
    /// If the database cannot be queried.
    pub async fn reconcile_now(&self, source: &str) -> Result<Vec<Finding>, StoreError> {
        let due = make_orders_due(&self.pool, source).await?;
        let mut findings = Vec::new();
        // An order that was just searched is due again later, after the others.
        while (findings.len() as u64) < due {
            let round = self.round().await?;
            if round.is_empty() {
                break;
            }
            findings.extend(round);
        }
        Ok(findings)
    }

    async fn round(&self) -> Result<Vec<Finding>, StoreError> {
        let mut findings = Vec::new();
        let mut connection = None;
        for (id, account) in &self.accounts {
            // If this loop fails, the orders that remain are due again soon.
            for order in take_due_orders(&self.pool, &[*id], BATCH).await? {
                let found = self.search(*id, account, &order, &mut connection).await?;
                if let Found::Nothing(why) = &found {
                    order_is_missing(&self.pool, order.id, why).await?;
                }
                schedule_order_check(&self.pool, order.id, account.every).await?;
                let ExpectedOrder {
                    source,
                    request_id,
                    description,
                    ..
                } = order;
                findings.push(Finding {
                    source,
                    request_id,
                    description,
                    found,
                });
            }
        }
        if let Some(connection) = connection {
            connection.close().await;
        }
        Ok(findings)
    }

    async fn search(
        &self,
        id: SourceId,
        account: &Account,
        order: &ExpectedOrder,
        connection: &mut Option<Connection>,
    ) -> Result<Found, StoreError> {
        let mut listed = match list(&account.client, order).await {
            Ok(listed) => listed,
            Err(error) => {
                return Ok(Found::Nothing(format!(
                    "Airalo's list could not be read: {error}"
                )));
            }
        };
        let others = orders_of_other_requests(&self.pool, order.id).await?;
        listed.retain(|listed| !others.contains(&listed.id));
        // The order that Airalo placed first is the result. A later one is a conflict with it.
        listed.sort_by_key(|listed| (listed.created_at.clone(), listed.id.parse::<u64>().ok()));
        let results: Vec<_> = listed
            .iter()
            .filter_map(|listed| Some((listed, body(listed, order)?)))
            .collect();
        if results.is_empty() {
            return Ok(Found::Nothing(
                match listed.first().map(|listed| (&listed.id, &listed.outcome)) {
                    Some((id, Outcome::Open { status })) => {
                        format!("Airalo has order {id}, in state '{status}'")
                    }
                    _ => "Airalo's list has no order with this description".to_owned(),
                },
            ));
        }
        let connection = match connection {
            Some(open) => open,
            None => connection.insert(self.connect().await?),
        };
        let mut new = 0;
        for (listed, body) in &results {
            let awaited = order
                .request_id
                .is_none()
                .then(|| awaited_key(order, &listed.outcome));
            match self
                .store_result(id, account, body, awaited, connection)
                .await
            {
                Some(true) => new += 1,
                // The result may have been stored before the request id was known.
                Some(false) => {
                    if let Some(request_id) = &order.request_id {
                        order_is_of_request(&self.pool, id, request_id, &listed.id).await?;
                    }
                }
                None => {
                    let id = &listed.id;
                    return Ok(Found::Nothing(format!(
                        "Airalo has order {id}, but it cannot be stored now"
                    )));
                }
            }
        }
        if new > 0 {
            (self.stored)(new);
        }
        Ok(Found::Results {
            orders: results
                .iter()
                .map(|(listed, _)| listed.id.clone())
                .collect(),
            new,
        })
    }

    async fn connect(&self) -> Result<Connection, StoreError> {
        let mut connection = self.database.connect(Role::Ingest).await?;
        self.clock.measure(&mut connection).await?;
        Ok(connection)
    }

    /// Returns whether the event is new, or `None` if it could not be stored.
    async fn store_result(
        &self,
        source: SourceId,
        account: &Account,
        body: &str,
        awaited: Option<IdempotencyKey>,
        connection: &mut Connection,
    ) -> Option<bool> {
        let body = bytes::Bytes::copy_from_slice(body.as_bytes());
        let fetched = VerifiedRequest::fetched(&Airalo as &dyn SourceKind, &account.source, &body);
        let Verified::Event(request) = fetched else {
            return None;
        };
        let mut event =
            NewEvent::from_verified(self.clock.event_id()?, source, &request, "{}".to_owned());
        event.alias = event.alias.or(awaited);
        let receipt = connection.ingest(&[event], Origin::Api).await.pop()?.ok()?;
        Some(receipt.verdict != Verdict::Duplicate)
    }
}

fn log_finding(finding: &Finding) {
    let Finding {
        source,
        request_id,
        description,
        found,
    } = finding;
    match found {
        Found::Results { orders, new } => {
            tracing::info!(
                source,
                request_id,
                description,
                ?orders,
                new,
                "found a missing result in Airalo's list"
            );
        }
        Found::Nothing(why) => {
            tracing::warn!(source, request_id, description, why, "an order is overdue")
        }
    }
}

/// Uses the description filter of Airalo's list. If that finds nothing, lists all orders since the
/// request and compares them here.
async fn list(client: &Client, order: &ExpectedOrder) -> Result<Vec<ListedOrder>, ApiError> {
    let since = written(order.placed_at - CLOCKS);
    let ours = |mut listed: Vec<ListedOrder>| {
        listed.retain(|listed| {
            listed.description.as_deref() == Some(&order.description)
                && listed.created_at.as_deref().is_none_or(|at| *at >= *since)
        });
        listed
    };
    let listed = ours(client.orders_described(&order.description).await?);
    if !listed.is_empty() {
        return Ok(listed);
    }
    let to = written(SystemTime::now() + Duration::from_secs(86_400));
    Ok(ours(client.orders_between(&since[..10], &to[..10]).await?))
}

/// The second key of a result whose request id is unknown. If two listed orders may be the result,
/// the second is a conflict and not another completed order.
fn awaited_key(order: &ExpectedOrder, outcome: &Outcome) -> IdempotencyKey {
    let outcome = if matches!(outcome, Outcome::Completed) {
        "completed"
    } else {
        "failed"
    };
    IdempotencyKey::new(&format!("order:expected:{}:{outcome}", order.id))
}

/// The body that the webhook would have had, or `None` if the order is not decided.
fn body(listed: &ListedOrder, order: &ExpectedOrder) -> Option<String> {
    let request_id = order
        .request_id
        .as_ref()
        .map(|id| format!(",\"request_id\":{}", json!(id)))
        .unwrap_or_default();
    let (data, message) = match &listed.outcome {
        Outcome::Completed => (listed.json.get().to_owned(), "success"),
        Outcome::Failed { reason } => (
            json!({"id": listed.id, "reason": reason, "description": listed.description, "package_id": listed.package_id})
                .to_string(),
            "error",
        ),
        Outcome::Open { .. } => return None,
    };
    Some(format!(
        "{{\"data\":{data},\"meta\":{{\"message\":\"{message}\"}}{request_id}}}"
    ))
}

//! Orders: placing one, and looking them up.

use super::{Answer, ApiError, Call, Client, Repeat};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// An order to place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// The id of the package to order.
    pub package_id: String,
    /// The number of SIMs, 1 to 50.
    pub quantity: u8,
    /// The text by which the order can be found later. Give each order its own.
    pub description: String,
    /// The URL that receives the result, instead of the URL of the opt-in.
    pub webhook_url: Option<String>,
}

/// Airalo's acceptance of an order. The result arrives by webhook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Placed {
    /// The request id that the result will carry.
    pub request_id: String,
    /// The time of acceptance, as Airalo writes it.
    #[serde(default)]
    pub accepted_at: Option<String>,
}

/// An order in Airalo's list.
#[derive(Clone, Debug)]
pub struct ListedOrder {
    /// Airalo's order number.
    pub id: String,
    /// Airalo's order code.
    pub code: Option<String>,
    /// The description that the order was placed with.
    pub description: Option<String>,
    /// The id of the ordered package.
    pub package_id: Option<String>,
    /// The time of the order, as `YYYY-MM-DD HH:MM:SS` in UTC.
    pub created_at: Option<String>,
    /// The result of the order.
    pub outcome: Outcome,
    /// The whole order as Airalo wrote it.
    pub json: Box<RawValue>,
}

/// The result of a listed order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The order has its SIMs.
    Completed,
    /// The order failed.
    Failed {
        /// The reason, in Airalo's words.
        reason: String,
    },
    /// The order is not decided, or its state is not documented.
    Open {
        /// Airalo's name of the state.
        status: String,
    },
}

#[derive(Deserialize)]
struct Accepted {
    data: Placed,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Box<RawValue>>,
    #[serde(default)]
    meta: Value,
}

#[derive(Deserialize)]
struct One {
    data: Box<RawValue>,
}

/// The largest number of pages that are read for one filter.
const PAGES: usize = 20;

impl Client {
    /// Places an order whose result arrives by webhook. The order is sent only once: if the error
    /// is one that [`ApiError::is_unknown`] reports, only Airalo's list of orders shows whether
    /// Airalo accepted it.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn order_async(&self, order: &NewOrder) -> Result<Placed, ApiError> {
        let mut body = serde_json::json!({
            "package_id": order.package_id, "quantity": order.quantity, "type": "sim", "description": order.description,
        });
        if let Some(url) = &order.webhook_url {
            body["webhook_url"] = url.as_str().into();
        }
        let answer = self
            .call(Call::post("v2/orders-async", body), Repeat::Never)
            .await?;
        Ok(answer.json::<Accepted>()?.data)
    }

    /// Returns the orders with exactly this description. Airalo's filter may return others, so the
    /// result is compared here again.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn orders_described(&self, description: &str) -> Result<Vec<ListedOrder>, ApiError> {
        let filter = vec![("filter[description]", description.to_owned())];
        let mut orders = self.orders(filter).await?;
        orders.retain(|order| order.description.as_deref() == Some(description));
        Ok(orders)
    }

    /// Returns the orders placed between two days, each written as `YYYY-MM-DD`, newest first.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn orders_between(&self, from: &str, to: &str) -> Result<Vec<ListedOrder>, ApiError> {
        self.orders(vec![("filter[created_at]", format!("{from} - {to}"))])
            .await
    }

    /// Returns the newest orders, at most this many pages of fifty.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn newest_orders(&self, pages: usize) -> Result<Vec<ListedOrder>, ApiError> {
        self.pages(Vec::new(), pages).await
    }

    async fn orders(
        &self,
        filter: Vec<(&'static str, String)>,
    ) -> Result<Vec<ListedOrder>, ApiError> {
        self.pages(filter, PAGES).await
    }

    async fn pages(
        &self,
        filter: Vec<(&'static str, String)>,
        most: usize,
    ) -> Result<Vec<ListedOrder>, ApiError> {
        let mut orders = Vec::new();
        for page in 1..=most {
            let mut call = Call::get("v2/orders");
            call.query = filter.clone();
            call.query.extend([
                ("include", "sims,status".to_owned()),
                ("limit", "50".to_owned()),
                ("page", page.to_string()),
            ]);
            let answer = self.call(call, Repeat::Freely).await?;
            let read: Page = answer.json()?;
            let (count, last) = (read.data.len(), read.meta["last_page"].as_u64());
            for order in read.data {
                orders.push(listed(order, &answer)?);
            }
            if count == 0 || last.is_none_or(|last| page as u64 >= last) {
                break;
            }
        }
        Ok(orders)
    }

    /// Returns the order with this number.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] if Airalo does not know the order.
    pub async fn order(&self, id: &str) -> Result<ListedOrder, ApiError> {
        let mut path = "v2/orders/".to_owned();
        path.extend(url::form_urlencoded::byte_serialize(id.as_bytes()));
        let mut call = Call::get(path);
        call.query.push(("include", "sims,status".to_owned()));
        let answer = self.call(call, Repeat::Freely).await?;
        listed(answer.json::<One>()?.data, &answer)
    }
}

fn listed(json: Box<RawValue>, answer: &Answer) -> Result<ListedOrder, ApiError> {
    let order: Value =
        serde_json::from_str(json.get()).map_err(|_| ApiError::Unreadable(answer.status))?;
    let scalar = |name: &str| match &order[name] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let id = scalar("id").ok_or(ApiError::Unreadable(answer.status))?;
    Ok(ListedOrder {
        id,
        code: scalar("code"),
        description: scalar("description"),
        package_id: scalar("package_id"),
        created_at: scalar("created_at"),
        outcome: outcome(&order),
        json,
    })
}

/// SIMs decide before the status does, because the values of the status are not documented.
fn outcome(order: &Value) -> Outcome {
    let status = [
        &order["status"]["slug"],
        &order["status"]["name"],
        &order["status"],
    ];
    let status = status
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or("unknown")
        .to_lowercase();
    let has_sims = order["sims"]
        .as_array()
        .is_some_and(|sims| !sims.is_empty());
    match status.as_str() {
        _ if has_sims => Outcome::Completed,
        "failed" | "cancelled" | "canceled" | "refunded" => {
            let reason = order["reason"]
                .as_str()
                .unwrap_or("Airalo's list gives no reason");
            Outcome::Failed {
                reason: reason.to_owned(),
            }
        }
        _ => Outcome::Open { status },
    }
}

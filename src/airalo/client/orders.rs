//! Orders: placed once, and looked up as often as one likes.

use super::{Answer, ApiError, Call, Client, Repeat};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// What is ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// The package's id.
    pub package_id: String,
    /// How many SIMs, 1 to 50.
    pub quantity: u8,
    /// By which it is found again: give each order its own.
    pub description: String,
    /// Where the result goes, instead of the URL that is opted in.
    pub webhook_url: Option<String>,
}

/// Airalo took the order; its result comes by webhook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Placed {
    /// What the result will name.
    pub request_id: String,
    /// When, as Airalo writes it.
    #[serde(default)]
    pub accepted_at: Option<String>,
}

/// An order of Airalo's list.
#[derive(Clone, Debug)]
pub struct ListedOrder {
    /// Its number.
    pub id: String,
    /// Its code.
    pub code: Option<String>,
    /// What whoever ordered wrote to it.
    pub description: Option<String>,
    /// What was ordered.
    pub package_id: Option<String>,
    /// `YYYY-MM-DD HH:MM:SS`.
    pub created_at: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// The whole, as Airalo wrote it.
    pub json: Box<RawValue>,
}

/// What became of a listed order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has its SIMs.
    Completed,
    /// It came to nothing.
    Failed {
        /// Why, in Airalo's words.
        reason: String,
    },
    /// Not decided, or in a state nobody has documented.
    Open {
        /// Airalo's word for it.
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

/// As many as are looked through for one description.
const PAGES: usize = 20;

impl Client {
    /// Places an order whose result comes by webhook. It is sent once: where [`ApiError::is_unknown`], only Airalo's
    /// list of orders tells whether it was taken.
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

    /// The orders with that description. What Airalo's filter lets through is compared here once more.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn orders_described(&self, description: &str) -> Result<Vec<ListedOrder>, ApiError> {
        let filter = vec![("filter[description]", description.to_owned())];
        let mut orders = self.orders(filter).await?;
        orders.retain(|order| order.description.as_deref() == Some(description));
        Ok(orders)
    }

    /// The orders that were made between two days, `YYYY-MM-DD` each, the newest first.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn orders_between(&self, from: &str, to: &str) -> Result<Vec<ListedOrder>, ApiError> {
        self.orders(vec![("filter[created_at]", format!("{from} - {to}"))])
            .await
    }

    /// The newest orders, up to so many pages of fifty.
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

    /// One order, by its number.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] where Airalo knows none.
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

/// SIMs say more than a status, whose words are not documented.
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
                .unwrap_or("Airalo's list says only that it failed");
            Outcome::Failed {
                reason: reason.to_owned(),
            }
        }
        _ => Outcome::Open { status },
    }
}

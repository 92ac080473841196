//! The state of the emulator: opt-ins, requests and orders.

use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Instant,
};

/// An order that the emulator made.
#[derive(Clone, Debug, Serialize)]
pub struct Order {
    /// The order number.
    pub id: u64,
    /// The order code.
    pub code: String,
    /// The id of the ordered package.
    pub package_id: String,
    /// The number of ordered SIMs.
    pub quantity: u8,
    /// The description that the order was placed with.
    pub description: String,
    /// The time of the order, as `YYYY-MM-DD HH:MM:SS` in UTC.
    pub created_at: String,
    /// The ICCIDs of the SIMs. A failed order has none.
    pub iccids: Vec<String>,
    /// The reason, if the order failed.
    pub reason: Option<String>,
}

/// An accepted asynchronous order.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// The request id in the response, which may not have reached the client.
    pub request_id: String,
    /// The description that the order was placed with.
    pub description: String,
    /// The numbers of the orders made for this request. There are several if a retry made another
    /// order.
    pub orders: Vec<u64>,
    /// Whether the webhook was lost.
    pub lost: bool,
    /// How many webhooks of this request the receiver accepted.
    pub accepted: u32,
    /// Whether no more webhooks will be sent.
    pub done: bool,
}

/// The whole state of the emulator.
#[derive(Debug, Default, Serialize)]
pub struct EmulatorState {
    /// The opt-ins by notification type.
    pub opt_ins: BTreeMap<String, OptIn>,
    /// The requests, in the order in which they arrived.
    pub requests: Vec<Request>,
    /// The orders, in the order in which they were made.
    pub orders: Vec<Order>,
    /// The first order number. It is higher than all numbers that the emulator gave before a
    /// restart.
    #[serde(skip)]
    pub(super) first: u64,
    #[serde(skip)]
    pub(super) tokens: HashMap<String, Instant>,
    #[serde(skip)]
    pub(super) calls: HashMap<&'static str, VecDeque<Instant>>,
}

/// An opt-in to one notification type.
#[derive(Clone, Debug, Serialize)]
pub struct OptIn {
    /// The URL or e-mail address that receives the notifications.
    pub contact_point: String,
    /// For credit limits: the percentages that trigger a notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels: Option<serde_json::Value>,
}

impl EmulatorState {
    /// Makes an order with SIMs that no other order has, or a failed order if there is a reason.
    pub(super) fn make(
        &mut self,
        request: usize,
        wanted: &Wanted,
        now: &str,
        reason: Option<&str>,
    ) -> Order {
        let id = self.first + self.orders.len() as u64;
        let sims = if reason.is_some() { 0 } else { wanted.quantity };
        let before = self
            .orders
            .iter()
            .map(|order| order.iccids.len() as u64)
            .sum::<u64>();
        let order = Order {
            id,
            code: format!(
                "{}-{id}",
                now.get(..10).unwrap_or_default().replace('-', "")
            ),
            package_id: wanted.package_id.clone(),
            quantity: wanted.quantity,
            description: wanted.description.clone(),
            created_at: now.to_owned(),
            iccids: (0..u64::from(sims))
                .map(|sim| format!("890{:016}", self.first + before + sim))
                .collect(),
            reason: reason.map(str::to_owned),
        };
        self.orders.push(order.clone());
        self.requests[request].orders.push(id);
        order
    }
}

#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) package_id: String,
    pub(super) quantity: u8,
    pub(super) description: String,
    pub(super) webhook_url: String,
}

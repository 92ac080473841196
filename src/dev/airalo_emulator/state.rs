//! What the emulated Airalo knows: who opted in, what was ordered, what was sent.

use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Instant,
};

/// An order that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Order {
    /// Its number.
    pub id: u64,
    /// Its code.
    pub code: String,
    /// What was ordered.
    pub package_id: String,
    /// How many.
    pub quantity: u8,
    /// What whoever ordered wrote to it.
    pub description: String,
    /// When.
    pub created_at: String,
    /// The SIMs; none of one that failed.
    pub iccids: Vec<String>,
    /// Why it failed.
    pub reason: Option<String>,
}

/// An asynchronous order that was taken.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// What it was answered with, if the answer got through.
    pub request_id: String,
    /// What whoever ordered wrote to it.
    pub description: String,
    /// The orders it led to: one, or more where it was made again.
    pub orders: Vec<u64>,
    /// Whether its webhook was lost.
    pub lost: bool,
    /// How many webhooks of it were taken.
    pub taken: u32,
    /// Whether nothing more will be sent.
    pub done: bool,
}

/// The whole.
#[derive(Debug, Default, Serialize)]
pub struct EmulatorState {
    /// By type: where to, and at which levels.
    pub opt_ins: BTreeMap<String, OptIn>,
    /// In the order they came.
    pub requests: Vec<Request>,
    /// In the order they were made.
    pub orders: Vec<Order>,
    /// The first number it gives: none that it gave before it was started anew.
    #[serde(skip)]
    pub(super) first: u64,
    #[serde(skip)]
    pub(super) tokens: HashMap<String, Instant>,
    #[serde(skip)]
    pub(super) calls: HashMap<&'static str, VecDeque<Instant>>,
}

/// An opt-in.
#[derive(Clone, Debug, Serialize)]
pub struct OptIn {
    /// The URL or address.
    pub contact_point: String,
    /// Of credit limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels: Option<serde_json::Value>,
}

impl EmulatorState {
    /// Makes an order, with SIMs that nobody else has, or as one that came to nothing.
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

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) package_id: String,
    pub(super) quantity: u8,
    pub(super) description: String,
    pub(super) webhook_url: String,
}

//! Simulated faults. Each has a probability between 0 and 1, and all are drawn from one seed.

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::Duration;

/// The faults that the emulator simulates, with their probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// An order fails.
    pub failed: f64,
    /// A webhook is sent a second time with the same bytes.
    pub duplicate: f64,
    /// An accepted webhook counts as rejected, and the retry makes another order with other SIMs,
    /// as observed in Airalo's sandbox.
    pub new_order: f64,
    /// A webhook is never sent.
    pub lost: f64,
    /// The response to an accepted order is delayed by [`slow_for`](Self::slow_for).
    pub slow_answer: f64,
    /// The response to an accepted order is an error, or is cut off.
    pub broken_answer: f64,
    /// The delay of a slow response.
    pub slow_for: Duration,
    /// The longest time that an order takes. The actual time is drawn for each order.
    pub delay: Duration,
    /// The seed of the random generator.
    pub seed: u64,
}

impl Default for FaultPlan {
    /// No faults. An order takes at most one second.
    fn default() -> Self {
        Self {
            failed: 0.0,
            duplicate: 0.0,
            new_order: 0.0,
            lost: 0.0,
            slow_answer: 0.0,
            broken_answer: 0.0,
            slow_for: Duration::from_secs(40),
            delay: Duration::from_secs(1),
            seed: 1,
        }
    }
}

/// The faults drawn for one order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) failed: bool,
    pub(super) duplicate: bool,
    pub(super) new_order: bool,
    pub(super) lost: bool,
    pub(super) answer: Answered,
    pub(super) delay: Duration,
    /// Which of the known forms of the webhook's body is sent.
    pub(super) form: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    Well,
    Slowly,
    Badly,
    CutOff,
}

pub(super) struct FaultInjector(Mutex<StdRng>);

impl FaultInjector {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// Draws the faults of an order. Some package ids always cause the fault that they name.
    pub(super) fn fate(&self, faults: &FaultPlan, package_id: &str) -> Fate {
        let mut random = self.0.lock();
        let mut happens = |probability: f64| random.random::<f64>() < probability;
        let answer = match (
            happens(faults.slow_answer),
            happens(faults.broken_answer),
            happens(0.5),
        ) {
            (true, ..) => Answered::Slowly,
            (_, true, true) => Answered::Badly,
            (_, true, false) => Answered::CutOff,
            _ => Answered::Well,
        };
        let mut or_named =
            |probability: f64, name: &str| happens(probability) | (package_id == name);
        Fate {
            failed: or_named(faults.failed, "emulated-failed"),
            duplicate: or_named(faults.duplicate, "emulated-duplicate"),
            new_order: or_named(faults.new_order, "emulated-new-order"),
            lost: or_named(faults.lost, "emulated-lost"),
            answer,
            delay: faults.delay.mul_f64(random.random::<f64>()),
            form: random.random_range(0..6),
        }
    }
}

/// A request id: 25 characters of the nanoid alphabet. It does not depend on the seed, so that no
/// two requests have the same id.
pub(super) fn request_id() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let random: [u8; 25] = rand::random();
    random
        .map(|byte| char::from(ALPHABET[usize::from(byte % 64)]))
        .iter()
        .collect()
}

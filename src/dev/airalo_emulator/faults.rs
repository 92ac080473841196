//! What goes wrong, how often: each a probability between 0 and 1, drawn from one seed.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How Airalo misbehaves.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// An order comes to nothing.
    pub failed: f64,
    /// A webhook comes a second time, byte for byte.
    pub duplicate: f64,
    /// A webhook that was taken is treated as if it was not: the order is made once more, with other SIMs, as it has been
    /// seen of Airalo's sandbox.
    pub new_order: f64,
    /// A webhook never comes.
    pub lost: f64,
    /// The answer to an order that was taken comes after [`slow_for`](Self::slow_for).
    pub slow_answer: f64,
    /// The answer to an order that was taken is an error, or cut off.
    pub broken_answer: f64,
    /// How long a slow answer takes.
    pub slow_for: Duration,
    /// How long an order takes at most; how long each does is drawn.
    pub delay: Duration,
    /// What all is drawn from.
    pub seed: u64,
}

impl Default for FaultPlan {
    /// None at all: an order takes a second at most.
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

/// What becomes of one order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) failed: bool,
    pub(super) duplicate: bool,
    pub(super) new_order: bool,
    pub(super) lost: bool,
    pub(super) answer: Answered,
    pub(super) delay: Duration,
    /// In which of the forms that are known the webhook comes.
    pub(super) form: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    Well,
    Slowly,
    Badly,
    CutOff,
}

/// Draws fates from one seed.
pub(super) struct FaultInjector(Mutex<StdRng>);

impl FaultInjector {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// Of a package whose name says what becomes of it, that; else what is drawn.
    pub(super) fn fate(&self, faults: &FaultPlan, package_id: &str) -> Fate {
        let mut random = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

/// A request's id: 25 characters of a nanoid's alphabet, of no seed: nobody gets one twice.
pub(super) fn request_id() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let random: [u8; 25] = rand::random();
    random
        .map(|byte| char::from(ALPHABET[usize::from(byte % 64)]))
        .iter()
        .collect()
}

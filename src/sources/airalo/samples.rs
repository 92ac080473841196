//! Sample bodies for trials, in the form that Airalo sends. They are compiled in, so that the
//! binary needs no files.
//!
//! Every identifier in them is synthetic. `order.conflict` has the `request_id` of
//! `order.completed` with another order's id and ICCIDs, like a retry that placed the order again.

/// One sample per line, named after its file.
macro_rules! samples {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_bytes!(concat!("samples/", $name, ".json")))),+]
    };
}

const SAMPLES: [(&str, &[u8]); 9] = samples!(
    "order.completed",
    "order.failed",
    "order.conflict",
    "low_data.75",
    "low_data.90",
    "low_data.3days",
    "low_data.1days",
    "credit_limit.50",
    "credit_limit.80",
);

/// Returns the body of a sample, the bytes to sign and to send.
pub fn sample(name: &str) -> Option<&'static [u8]> {
    SAMPLES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, body)| *body)
}

/// The names of all samples.
pub fn sample_names() -> impl Iterator<Item = &'static str> {
    SAMPLES.iter().map(|(name, _)| *name)
}

//! Sample requests of the senders in docs/hookfast.sample.toml. They are compiled in, so that the
//! binary needs no files. Every identifier in them is made up.

use crate::sources::airalo::{self, Airalo};

#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) name: &'static str,
    /// The sender, by the usual name of its source.
    pub(super) sender: &'static str,
    pub(super) body: &'static [u8],
    /// Headers that describe the event. The headers of the signature are added later.
    pub(super) headers: &'static [(&'static str, &'static str)],
}

const OTHERS: [Sample; 4] = [
    Sample {
        name: "github.pull_request.opened",
        sender: "github",
        body: include_bytes!("samples/github.pull_request.opened.json"),
        headers: &[("x-github-event", "pull_request")],
    },
    Sample {
        name: "shopify.orders.create",
        sender: "shopify",
        body: include_bytes!("samples/shopify.orders.create.json"),
        headers: &[("x-shopify-topic", "orders/create")],
    },
    Sample {
        name: "slack.event_callback.message",
        sender: "slack",
        body: include_bytes!("samples/slack.event_callback.message.json"),
        headers: &[],
    },
    Sample {
        name: "stripe.invoice.paid",
        sender: "stripe",
        body: include_bytes!("samples/stripe.invoice.paid.json"),
        headers: &[],
    },
];

pub(super) fn all() -> impl Iterator<Item = Sample> {
    let airalo = airalo::sample_names().filter_map(|name| {
        Some(Sample {
            name,
            sender: Airalo::NAME,
            body: airalo::sample(name)?,
            headers: &[],
        })
    });
    airalo.chain(OTHERS)
}

pub(super) fn named(name: &str) -> Option<Sample> {
    all().find(|sample| sample.name == name)
}

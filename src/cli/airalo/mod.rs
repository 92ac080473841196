//! `hookfast airalo`: everything between a partner's credentials and an eSIM that arrived.

mod account;
mod doctor;
mod emulate;
mod notifications;
mod orders;

use clap::Subcommand;
use std::process::ExitCode;

/// Airalo's Partner API: opts in, orders, looks for what did not come; and a local Airalo to try it with.
#[derive(clap::Args)]
pub(super) struct Airalo {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A local Airalo, for trying out and for tests: its API, its signatures, its retries, and its misbehaviour.
    Emulate(emulate::Emulate),
    /// Has notifications of a type sent to a URL, after a look whether it answers HEAD as Airalo wants.
    OptIn(notifications::OptIn),
    /// Has notifications of a type sent no more.
    OptOut(notifications::OptOut),
    /// All five types: where they go, beside where the configuration wants them.
    Status(notifications::Status),
    /// Has Airalo send a webhook, of which there is no order: the only ones there are in its sandbox.
    Simulate(notifications::Simulate),
    /// Orders eSIMs, once. It spends money, and asks first.
    ///
    /// DATABASE_URL must be that of `hookfast serve`: the roles for readers and operators are not enough.
    Order(orders::Order),
    /// Orders as they stand here, or as Airalo lists them.
    Orders(orders::Orders),
    /// Waits for the result of an order that something else placed.
    Expect(orders::Expect),
    /// Looks in Airalo's list for every order whose result has not come, and brings in what it finds.
    ///
    /// DATABASE_URL must be that of `hookfast serve`: the roles for readers and operators are not enough.
    Reconcile(orders::Reconcile),
    /// A new partner's first hour: credentials, opt-ins, HEAD, and whether the secret fits what was sent.
    Doctor(doctor::Doctor),
}

impl Airalo {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Emulate(emulate) => emulate.run().await,
            What::OptIn(opt_in) => opt_in.run().await,
            What::OptOut(opt_out) => opt_out.run().await,
            What::Status(status) => status.run().await,
            What::Simulate(simulate) => simulate.run().await,
            What::Order(order) => order.run().await,
            What::Orders(orders) => orders.run().await,
            What::Expect(expect) => expect.run().await,
            What::Reconcile(reconcile) => reconcile.run().await,
            What::Doctor(doctor) => doctor.run().await,
        }
    }
}

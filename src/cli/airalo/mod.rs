//! `hookfast airalo`: from a partner's credentials to a delivered eSIM.

mod account;
mod doctor;
mod emulate;
mod notifications;
mod orders;

use clap::Subcommand;
use std::process::ExitCode;

#[derive(clap::Args)]
pub(super) struct Airalo {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Run a local Airalo, for trying out and for tests: its API, its signatures, its retries and
    /// its faults.
    Emulate(emulate::Emulate),
    /// Opt in to notifications of a type at a URL, after a check that the URL answers HEAD as
    /// Airalo requires.
    OptIn(notifications::OptIn),
    /// Opt out of notifications of a type.
    OptOut(notifications::OptOut),
    /// Show where notifications of all five types are sent, and where the configuration wants them.
    Status(notifications::Status),
    /// Make Airalo send a webhook for which there is no order. Its sandbox sends no others.
    Simulate(notifications::Simulate),
    /// Order eSIMs, once. This spends money, so it asks for confirmation.
    ///
    /// DATABASE_URL must be that of `hookfast serve`: the roles for readers and operators are not
    /// enough.
    Order(orders::Order),
    /// List orders as stored here, or as Airalo lists them.
    Orders(orders::Orders),
    /// Expect the result of an order that another program placed.
    Expect(orders::Expect),
    /// Search Airalo's list for every order whose result has not arrived, and store the results it
    /// finds.
    ///
    /// DATABASE_URL must be that of `hookfast serve`: the roles for readers and operators are not
    /// enough.
    Reconcile(orders::Reconcile),
    /// Check an account's setup: credentials, opt-ins, HEAD, and whether the secret matches the
    /// received webhooks.
    Doctor(doctor::Doctor),
}

impl Airalo {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Emulate(emulate) => emulate.run().await,
            Action::OptIn(opt_in) => opt_in.run().await,
            Action::OptOut(opt_out) => opt_out.run().await,
            Action::Status(status) => status.run().await,
            Action::Simulate(simulate) => simulate.run().await,
            Action::Order(order) => order.run().await,
            Action::Orders(orders) => orders.run().await,
            Action::Expect(expect) => expect.run().await,
            Action::Reconcile(reconcile) => reconcile.run().await,
            Action::Doctor(doctor) => doctor.run().await,
        }
    }
}

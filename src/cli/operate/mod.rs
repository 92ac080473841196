//! The commands for operators: a thin layer over the views and functions of the schema `hookfast`.

mod conflicts;
mod dead_letters;
mod deliveries;
mod event_filters;
mod events;
mod handlers;
mod lists;
mod names;
mod quarantine;
mod replays;
mod retire;
mod reverify;
pub(in crate::cli) mod session;
mod status;
mod time_args;
mod timeline;
mod types;

pub(super) use conflicts::Conflicts;
pub(super) use dead_letters::DeadLetters;
pub(super) use deliveries::Deliveries;
pub(super) use events::Events;
pub(super) use handlers::Handlers;
pub(super) use lists::{Alerts, Audit, Backlog, Retention, Sources, Storage, Workers};
pub(super) use quarantine::Quarantine;
pub(super) use replays::Replays;
pub(super) use status::Status;

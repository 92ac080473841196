//! What operators look at and do, as commands: a thin face over the views and functions of schema hookfast.

mod dead_letters;
mod deliveries;
mod events;
mod handlers;
mod looks;
mod names;
mod quarantine;
mod replays;
mod retire;
mod reverify;
pub(in crate::cli) mod shell;
mod status;
mod timeline;
mod types;
mod when;

pub(super) use dead_letters::DeadLetters;
pub(super) use deliveries::Deliveries;
pub(super) use events::Events;
pub(super) use handlers::Handlers;
pub(super) use looks::{Backlog, Conflicts, Log, News, Retention, Sources, Storage, Workers};
pub(super) use quarantine::Quarantine;
pub(super) use replays::Replays;
pub(super) use status::Status;

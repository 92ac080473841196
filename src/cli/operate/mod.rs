//! What operators look at and do, as commands: a thin face over the views and functions of schema hookfast.

mod dead_letters;
mod deliveries;
mod events;
mod shell;
mod when;

pub(super) use dead_letters::DeadLetters;
pub(super) use deliveries::Deliveries;
pub(super) use events::Events;

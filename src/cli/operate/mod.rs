//! What operators look at and do, as commands: a thin face over the views and functions of schema hookfast.

mod events;
mod shell;
mod when;

pub(super) use events::Events;

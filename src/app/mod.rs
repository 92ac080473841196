//! Everything put together: a running Hookfast, from the command line or inside another program.

mod builder;
mod functions;
mod observer;
mod open;
mod run;

pub use builder::{BuildError, Builder, Subscription};
pub use run::{App, RunError};

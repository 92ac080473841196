//! Everything put together: a running Hookfast, from the command line or inside another program.

mod builder;
mod functions;
mod connections;
mod observer;
mod open;
mod run;

pub use builder::{BuildError, Builder, Subscription};
pub use connections::ConnectionNeed;
pub use run::{App, RunError};

//! Starts and stops the parts of Hookfast, for the command line or inside another program.

mod builder;
mod configured;
mod connections;
mod functions;
mod observer;
mod open;
mod reload;
mod run;

pub use builder::{BuildError, Builder, Subscription};
pub use configured::ConfiguredError;
pub use connections::ConnectionNeed;
pub use reload::{Change, Reloaded, ReloadedSecret, Reloader};
pub use run::{App, RunError};

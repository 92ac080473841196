//! The `hookfast` command.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    hookfast::cli::run().await
}

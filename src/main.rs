//! The `hookfast` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => panic!("the threads of this process cannot be started: {error}"),
    };
    let code = runtime.block_on(hookfast::internals::cli::run());
    // Dropping the runtime would wait for blocked threads, for example for a name server that does
    // not answer.
    runtime.shutdown_background();
    code
}

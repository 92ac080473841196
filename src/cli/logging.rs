//! Logs to standard error: info for Hookfast and warnings for libraries, unless `RUST_LOG` sets
//! other levels.

use tracing_subscriber::EnvFilter;

pub(super) fn start(json: bool) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,hookfast=info"));
    // A line that cannot be written is lost. By default the library would print that error to
    // standard error as well, and panic because the terminal or the log collector is gone.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    if json {
        log.json().init();
    } else {
        use std::io::IsTerminal;
        log.with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .init();
    }
}

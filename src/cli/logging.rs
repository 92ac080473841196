//! Where the log goes: standard error, at info for us and warnings for the libraries, unless `RUST_LOG` says otherwise.

use tracing_subscriber::EnvFilter;

pub(super) fn start(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,hookfast=info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        log.json().init();
    } else {
        use std::io::IsTerminal;
        log.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
    }
}

//! The command line. `main` only calls [`run`].

mod address;
mod airalo;
mod check;
mod completions;
mod console;
mod console_findings;
mod declare;
mod dev;
mod findings;
mod folder;
mod listen;
mod logging;
mod migrate;
mod operate;
mod process;
mod qr;
mod samples;
mod send;
mod serve;
mod table;
mod terminal;
mod words;

use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Durable webhook receiver and queue for Postgres: verifies each webhook, commits it before
/// answering 200, and delivers it to every subscribed handler with retries, ordering and dead
/// letters.
#[derive(Parser)]
#[command(name = "hookfast", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Log one JSON object per line, for log collectors
    #[arg(long, global = true, env = "HOOKFAST_LOG_JSON")]
    log_json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one process, for trying out: a private Postgres in .hookfast/ (or
    /// DATABASE_URL), ingress and worker, a random secret, no configuration file needed. Loopback
    /// only.
    Dev(dev::Dev),
    /// Run in production: receive webhooks and deliver them, on the Postgres of DATABASE_URL.
    Serve(serve::Serve),
    /// Apply the migrations of this program to DATABASE_URL.
    Migrate(migrate::Migrate),
    /// Check the configuration and the database, and report what is wrong and what to do.
    Check(check::Check),
    /// Sign a sample or a file like the sender of a source, and post it.
    Send(send::Send),
    /// Receive deliveries, verify their signatures and print them. SIGUSR1 turns failing mode on
    /// and off.
    Listen(listen::Listen),
    /// List, search and inspect events.
    Events(operate::Events),
    /// List, reschedule and discard deliveries.
    Deliveries(operate::Deliveries),
    /// Show the pending deliveries of each handler.
    Backlog(operate::Backlog),
    /// List, retry and discard dead letters.
    DeadLetters(operate::DeadLetters),
    /// List and acknowledge conflicts: events that have the key of an earlier one and other
    /// content.
    Conflicts(operate::Conflicts),
    /// List, reverify, approve and discard quarantined requests.
    Quarantine(operate::Quarantine),
    /// Show the health of handlers; pause, resume and retire them.
    Handlers(operate::Handlers),
    /// Show the health of sources.
    Sources(operate::Sources),
    /// Start, follow, pause and cancel replays.
    Replays(operate::Replays),
    /// List workers and processes.
    Workers(operate::Workers),
    /// Show table sizes.
    Storage(operate::Storage),
    /// Show and preview retention.
    Retention(operate::Retention),
    /// Serve the console, the pages for a browser; or print a link to log in.
    Console(console::ConsoleCommand),
    /// List alerts: dead letters, paused handlers, silent sources and more.
    Alerts(operate::Alerts),
    /// List changes by operators and processes.
    Audit(operate::Audit),
    /// Use Airalo's Partner API: opt in, order, reconcile; or run a local Airalo to try it.
    Airalo(airalo::Airalo),
    /// Show on one screen whether intake is safe and work is moving. Exits with 1 if something is
    /// critical.
    Status(operate::Status),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
}

#[derive(clap::Args)]
struct ConfigFile {
    /// Configuration file; every setting is in docs/hookfast.sample.toml
    #[arg(long, value_name = "PATH", env = "HOOKFAST_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// The given file, or the one of the `hookfast dev` of this folder.
    fn here(&self) -> anyhow::Result<Option<PathBuf>> {
        match &self.config {
            Some(file) => Ok(Some(file.clone())),
            None => Ok(folder::noted_value(folder::CONFIG)?.map(PathBuf::from)),
        }
    }
}

/// Runs a command. The exit status is 0 for success, 1 for failure and 2 for invalid arguments.
pub async fn run() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start(arguments.log_json);
    let done = match arguments.command {
        Command::Dev(dev) => dev.run().await,
        Command::Serve(serve) => serve.run().await,
        Command::Migrate(migrate) => migrate.run().await,
        Command::Check(check) => check.run().await,
        Command::Send(send) => send.run().await,
        Command::Listen(listen) => listen.run().await,
        Command::Events(events) => events.run().await,
        Command::Deliveries(deliveries) => deliveries.run().await,
        Command::Backlog(backlog) => backlog.run().await,
        Command::DeadLetters(letters) => letters.run().await,
        Command::Conflicts(conflicts) => conflicts.run().await,
        Command::Quarantine(quarantine) => quarantine.run().await,
        Command::Handlers(handlers) => handlers.run().await,
        Command::Sources(sources) => sources.run().await,
        Command::Replays(replays) => replays.run().await,
        Command::Workers(workers) => workers.run().await,
        Command::Storage(storage) => storage.run().await,
        Command::Retention(retention) => retention.run().await,
        Command::Console(console) => console.run().await,
        Command::Alerts(alerts) => alerts.run().await,
        Command::Audit(audit) => audit.run().await,
        Command::Airalo(airalo) => airalo.run().await,
        Command::Status(status) => status.run().await,
        Command::Completions(completions) => completions.run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            process::complain(&format!("hookfast: {}", process::chain(&error)));
            if let Some(hint) = process::hint(&error) {
                process::complain(&format!("hint: {hint}"));
            }
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;
    use clap::{Command, CommandFactory as _, Parser as _, error::ErrorKind};

    /// Options of commands on one row or on many that are no filters.
    const NOT_FILTERS: [&str; 9] = [
        "all",
        "due-at",
        "help",
        "json",
        "config",
        "log-json",
        "max-attempts",
        "why",
        "yes",
    ];

    /// The commands that change one row by its id, or all that match filters.
    fn of_one_or_all(command: &Command, path: &[String], found: &mut Vec<(Vec<String>, Command)>) {
        let has = |name: &str| {
            command
                .get_arguments()
                .any(|arg| arg.get_long() == Some(name))
        };
        if has("all") && has("yes") && command.get_positionals().next().is_some() {
            found.push((path.to_vec(), command.clone()));
        }
        for child in command.get_subcommands() {
            let path = [path, &[child.get_name().to_owned()]].concat();
            of_one_or_all(child, &path, found);
        }
    }

    #[test]
    fn a_filter_beside_an_id_is_an_error() {
        let mut commands = Vec::new();
        of_one_or_all(
            &Arguments::command(),
            &["hookfast".to_owned()],
            &mut commands,
        );
        let mut filters = 0;
        for (path, command) in commands {
            let options = || command.get_arguments().filter_map(|arg| arg.get_long());
            let mut base = path.clone();
            base.push("1".to_owned());
            for required in ["why", "due-at"]
                .iter()
                .filter(|name| options().any(|known| known == **name))
            {
                base.extend([format!("--{required}"), "2h".to_owned()]);
            }
            assert!(Arguments::try_parse_from(&base).is_ok(), "{base:?}");
            for filter in options().filter(|name| !NOT_FILTERS.contains(name)) {
                let mut line = base.clone();
                line.extend([format!("--{filter}"), "2h".to_owned()]);
                let kind = Arguments::try_parse_from(&line)
                    .err()
                    .map(|error| error.kind());
                assert_eq!(kind, Some(ErrorKind::ArgumentConflict), "{line:?}");
                filters += 1;
            }
        }
        assert!(filters > 20, "{filters} filters");
    }
}

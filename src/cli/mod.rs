//! The commands. `main` calls [`run`] and nothing else.

mod address;
mod airalo;
mod check;
mod completions;
mod declare;
mod dev;
mod folder;
mod listen;
mod logging;
mod migrate;
mod operate;
mod process;
mod samples;
mod send;
mod serve;
mod table;
mod terminal;
mod words;

use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Catches webhooks and makes them fast: verifies each one, commits it to Postgres before it answers, and brings it
/// to every handler that wants it until it is done.
#[derive(Parser)]
#[command(name = "hookfast", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// One line of JSON for each log line, for log collectors.
    #[arg(long, global = true, env = "HOOKFAST_LOG_JSON")]
    log_json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Everything in one process, for trying out: a private Postgres in .hookfast/ (or DATABASE_URL), ingress and
    /// worker, a random secret, no configuration file needed. Loopback only.
    Dev(dev::Dev),
    /// Production: takes webhooks and handles them, on the Postgres of DATABASE_URL.
    Serve(serve::Serve),
    /// Brings the schema in DATABASE_URL up to this program.
    Migrate(migrate::Migrate),
    /// Reads the configuration, tries the database, and says what is wrong and what to do.
    Check(check::Check),
    /// Signs a sample or a file as the sender of a source does, and posts it.
    Send(send::Send),
    /// Receives webhooks, verifies their signature and prints them; SIGUSR1 makes it fail, and work again.
    Listen(listen::Listen),
    /// What came: lists events, finds one by anything that is known of it, and tells what became of it.
    Events(operate::Events),
    /// what is pending for handlers, and what became of it.
    Deliveries(operate::Deliveries),
    /// What each handler has pending, and since when.
    Backlog(operate::Backlog),
    /// What used up its tries or was refused for good: looks, tries it again, or ends it.
    DeadLetters(operate::DeadLetters),
    /// Events that have another's key and other content: a possible double purchase each.
    Conflicts(operate::Conflicts),
    /// Requests that failed verification: looks, has them verified again, takes one for genuine, makes room.
    Quarantine(operate::Quarantine),
    /// How handlers stand, and why; pauses and resumes them.
    Handlers(operate::Handlers),
    /// How sources stand: what they sent, and what is usual.
    Sources(operate::Sources),
    /// Replays of many events: starts, follows, pauses, ends them.
    Replays(operate::Replays),
    /// Who works: the processes, and who may hold deliveries.
    Workers(operate::Workers),
    /// How much there is, table by table.
    Storage(operate::Storage),
    /// How long what is kept, and what would go.
    Retention(operate::Retention),
    /// Lists alerts: dead letters, paused handlers, silent sources and more.
    Alerts(operate::Alerts),
    /// Lists changes by operators and processes.
    Audit(operate::Audit),
    /// Airalo's Partner API: opts in, orders, looks for what did not come; and a local Airalo to try it with.
    Airalo(airalo::Airalo),
    /// One screen: is intake safe, is work moving. Ends with 1 where something is bad.
    Status(operate::Status),
    /// Prints a script with which a shell completes these commands.
    Completions(completions::Completions),
}

/// The configuration file, where a command takes one.
#[derive(clap::Args)]
struct ConfigFile {
    /// The configuration file; every setting is in docs/hookfast.sample.toml.
    #[arg(long, value_name = "PATH", env = "HOOKFAST_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// The file that was given, or that of the `hookfast dev` of this folder.
    fn here(&self) -> anyhow::Result<Option<PathBuf>> {
        match &self.config {
            Some(file) => Ok(Some(file.clone())),
            None => Ok(folder::noted_value(folder::CONFIG)?.map(PathBuf::from)),
        }
    }
}

/// The commands end with 0 when they did what they were asked, 1 when they could not, 2 when it was not understood.
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

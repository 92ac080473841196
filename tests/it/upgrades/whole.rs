//! An upgrade as an operator does it, from the previous release's database with what is in it.

use super::{MIGRATIONS, Old, PREVIOUS, ingest};
use crate::support::{server::Server, sink::Sink, wait_until};
use std::process::Command;

/// Days the previous release made long ago, with an event and its attempt.
const PAST: &str = "\
    CREATE TABLE hookfast_data.events_20240229 (LIKE hookfast_data.events INCLUDING ALL); \
    ALTER TABLE hookfast_data.events ATTACH PARTITION hookfast_data.events_20240229 \
        FOR VALUES FROM (hookfast_data.id_at('2024-02-29 00:00Z')) TO (hookfast_data.id_at('2024-03-01 00:00Z')); \
    CREATE TABLE hookfast_data.attempts_20240229 (LIKE hookfast_data.attempts INCLUDING ALL); \
    ALTER TABLE hookfast_data.attempts ATTACH PARTITION hookfast_data.attempts_20240229 \
        FOR VALUES FROM (hookfast_data.id_at('2024-02-29 00:00Z')) TO (hookfast_data.id_at('2024-03-01 00:00Z')); \
    INSERT INTO hookfast_data.events (id, source_id, registry_version, type, origin, idempotency_key, headers, body) \
        VALUES (hookfast_data.id_at('2024-02-29 12:00Z'), 1, 1, 'x', 'webhook', 'long ago', '{}', '{}'); \
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome) \
        VALUES (hookfast_data.id_at('2024-02-29 12:00Z'), 1000000, 1, 1, 'delivered')";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_previous_release_left_is_brought_up_and_delivered() {
    let mut old = Old::at(PREVIOUS).await;
    let sink = Sink::start().await;
    old.execute(
        "INSERT INTO hookfast_data.sources (name, kind) VALUES ('airalo', 'airalo'); \
         INSERT INTO hookfast_data.handlers (name, kind, types, tries, registered_version) VALUES ('sink', 'http', '{*}', 3, 0)",
    )
    .await;
    old.execute(PAST).await;
    let mut taking = old.database.connect().await;
    for key in 0..3 {
        ingest(&mut taking, key).await;
    }

    let migrate = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command.arg("migrate").args(arguments).env("DATABASE_URL", old.database.url()).env_remove("HOOKFAST_CONFIG");
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let pending = MIGRATIONS.iter().filter(|m| m.version > PREVIOUS).count();
    let plan = migrate(&["--plan"]);
    assert!(plan.contains("0010_operations.sql") && !plan.contains("0009_sql_interface.sql"), "{plan}");
    assert!(plan.contains("events_conflicts on each day of events"), "{plan}");
    let said = migrate(&[]);
    // A day of search terms for each of the 17 that events have; nine indexes, and a piece of three for each day.
    assert!(said.contains(&format!(" {pending} migrations applied, 17 partitions made")), "{said}");
    assert!(said.contains(&format!("{} indexes built", 9 + 3 * 17)), "{said}");
    assert!(migrate(&["--plan"]).trim_end().ends_with("is applied"), "nothing is left to do");

    let server = Server::serve(old.database.url(), &sink.config(""), &[]);
    server.ready().await;
    wait_until("what was owed", async || sink.counts().len() == 3).await;
}

//! The commands of operators, in a database with a story: every command, as a table and as JSON.

mod actions;
mod errors;
mod events;
mod handlers;
mod help;
mod lists;
mod status;

use crate::support::{
    wait_until,
    world::{Handler, Source, World},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs,
    ops::Deref,
    process::{Child, Command, Stdio},
};
use tempfile::NamedTempFile;

/// A database with a story: events of orders, delivered, pending, dead and in conflict, and
/// requests in quarantine.
struct Story(World);

impl Deref for Story {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

/// The result of a command.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{} {}", self.out, self.err);
        self
    }

    fn failed(self) -> Self {
        assert_eq!(self.code, 1, "{} {}", self.out, self.err);
        self
    }

    fn contains(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.out.contains(word),
                "{word} is not in: {}\n{}",
                self.out,
                self.err
            );
        }
        self
    }

    fn complains(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.err.contains(word),
                "{word} is not in: {}\n{}",
                self.err,
                self.out
            );
        }
        self
    }

    fn rows(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }
}

impl Story {
    async fn new() -> Self {
        let airalo = Source {
            search_fields: "{iccid}",
            ..Source::new("airalo", "airalo")
        };
        let handlers = ["shop", "mail"].map(|name| Handler::new(name, "rust", "{airalo.*}"));
        let world = World::builder()
            .sources([airalo])
            .handlers(handlers)
            .build()
            .await;
        let story = Self(world);
        for (key, kind, body) in [
            (
                "order-1",
                "order.completed",
                r#"{"data": {"iccid": "8988", "price": 12}}"#,
            ),
            (
                "order-2",
                "order.completed",
                r#"{"data": {"iccid": "8989", "price": 5}}"#,
            ),
            ("order-3", "order.failed", "not json"),
        ] {
            // Ids order events by the millisecond, so each event needs a millisecond of its own.
            story
                .execute(&format!(
                    "WITH made AS (INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body) \
                        SELECT hookfast_data.new_event_id(), s.id, 0, 'airalo.{kind}', 'webhook', '{key}', '{{\"user-agent\": \"x\"}}', '{body}' \
                        FROM hookfast_data.sources s WHERE s.name = 'airalo' RETURNING id, source_id, idempotency_key) \
                     INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) SELECT source_id, idempotency_key, id FROM made; \
                     SELECT pg_sleep(0.003)"
                ))
                .await;
        }
        story
            .execute(
                "INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, duration_ms, status, error, error_kind) \
                    SELECT e.id, 900000 + row_number() OVER (ORDER BY e.id), 1, h.id, CASE h.name WHEN 'shop' THEN 'dead' ELSE 'delivered' END, 12, \
                        CASE h.name WHEN 'shop' THEN 500 ELSE 200 END, CASE h.name WHEN 'shop' THEN 'status 500: no stock' END, CASE h.name WHEN 'shop' THEN 'status' END \
                    FROM hookfast_data.events e, hookfast_data.handlers h WHERE h.name = 'mail' OR e.type = 'airalo.order.completed'; \
                 INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason, last_error) \
                    SELECT a.delivery_id, a.handler_id, a.event_id, 1, 0, 'attempts_exhausted', a.error FROM hookfast_data.attempts a WHERE a.outcome = 'dead'; \
                 INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempts_left, due_at) \
                    SELECT h.id, 7, e.id, 3, now() FROM hookfast_data.handlers h, hookfast_data.events e \
                    WHERE h.name = 'shop' AND e.idempotency_key = 'order-3'; \
                 INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body) \
                    SELECT s.id, sha256(n::text::bytea), 'wrong_signature', '{}', '{\"forged\": true}' \
                    FROM hookfast_data.sources s, generate_series(1, 3) n WHERE s.name = 'airalo'",
            )
            .await;
        story
    }

    async fn event(&self, key: &str) -> String {
        self.text(&format!(
            "SELECT id FROM hookfast_data.events WHERE idempotency_key = '{key}'"
        ))
        .await
    }

    /// A text that stays the same if nothing was changed.
    async fn everything(&self) -> String {
        self.text(
            "SELECT concat_ws('|', (SELECT count(*) FROM hookfast_data.dead_letters), (SELECT string_agg(o.id || ' ' || o.due_at, ',' ORDER BY o.id) FROM hookfast_data.outbox o), \
                (SELECT count(*) FROM hookfast_data.events WHERE erased_at IS NULL), (SELECT count(*) FROM hookfast_data.quarantine WHERE requested_action IS NULL), \
                (SELECT count(*) FROM hookfast_data.replays), (SELECT count(*) FROM hookfast_data.handlers WHERE paused_at IS NOT NULL), \
                (SELECT count(*) FROM hookfast_data.audit_log))",
        )
        .await
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        run(self.url(), arguments)
    }
}

fn command(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    for name in ["HOOKFAST_CONFIG", "RUST_LOG", "COLUMNS"] {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .env("DATABASE_URL", url)
        .stdin(Stdio::null());
    command
}

fn run(url: &str, arguments: &[&str]) -> Ran {
    let output = command(url, arguments).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran {
        code: output.status.code().expect("a code"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A command that is still running. Its output goes to files, which can be read at any time. It is
/// killed when dropped.
struct RunningCommand {
    process: Child,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
}

impl RunningCommand {
    fn start(url: &str, arguments: &[&str]) -> Self {
        let file = || NamedTempFile::new().expect("a file");
        let (stdout, stderr) = (file(), file());
        let process = command(url, arguments)
            .stdout(stdout.reopen().expect("a file"))
            .stderr(stderr.reopen().expect("a file"))
            .spawn()
            .expect("it runs");
        Self {
            process,
            stdout,
            stderr,
        }
    }

    /// Waits until it has printed a text this many times.
    async fn printed(&self, text: &str, times: usize) {
        wait_until(&format!("{text:?} printed {times} times"), async || {
            content(&self.stdout).matches(text).count() >= times
        })
        .await;
    }

    /// Sends it the signal of Ctrl-C.
    fn interrupt(&self) {
        let id = Pid::from_raw(self.process.id().try_into().expect("a process id"));
        kill(id, Signal::SIGINT).expect("sent");
    }

    /// Waits for its end.
    async fn ended(mut self) -> Ran {
        let mut ended = None;
        wait_until("the end of the command", async || {
            ended = self.process.try_wait().expect("it is ours");
            ended.is_some()
        })
        .await;
        Ran {
            code: ended.expect("just seen").code().expect("a code"),
            out: content(&self.stdout),
            err: content(&self.stderr),
        }
    }
}

impl Drop for RunningCommand {
    fn drop(&mut self) {
        let _ = (self.process.kill(), self.process.wait());
    }
}

fn content(file: &NamedTempFile) -> String {
    let bytes = fs::read(file.path()).expect("a file");
    String::from_utf8_lossy(&bytes).into_owned()
}

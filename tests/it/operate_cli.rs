//! The commands of operators, as a person meets them: every one, as a table and as JSON.

mod help;
use crate::support::postgres::{self, database};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use std::process::{Command, Stdio};

/// A database in which something happened: events of an order and of others, delivered, owed, dead and in conflict, and
/// requests in quarantine.
struct Story {
    database: postgres::Database,
    pool: PgPool,
}

/// What a command did.
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

    fn says(self, words: &[&str]) -> Self {
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
        let database = database().await;
        let story = Self {
            pool: database.pool().await,
            database,
        };
        story
            .execute(
                "INSERT INTO hookfast_data.sources (name, kind, search_fields) VALUES ('airalo', 'airalo', '{iccid}'); \
                 INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version) \
                    VALUES ('shop', 'rust', '{airalo.*}', 3, 0), ('mail', 'rust', '{airalo.*}', 3, 0)",
            )
            .await;
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

    async fn execute(&self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&self.pool)
            .await
            .expect(statements);
    }

    async fn text(&self, query: &str) -> String {
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT ({query})::text")))
            .fetch_one(&self.pool)
            .await
            .expect(query)
    }

    async fn event(&self, key: &str) -> String {
        self.text(&format!(
            "SELECT id FROM hookfast_data.events WHERE idempotency_key = '{key}'"
        ))
        .await
    }

    /// What would be the same if nothing was changed.
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
        run(self.database.url(), arguments)
    }
}

fn run(url: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    for name in ["HOOKFAST_CONFIG", "RUST_LOG", "COLUMNS"] {
        command.env_remove(name);
    }
    let output = command
        .args(arguments)
        .env("DATABASE_URL", url)
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran {
        code: output.status.code().expect("a code"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_lists_are_tables_and_json_and_say_when_they_are_empty() {
    let story = Story::new().await;
    for (noun, title, rows) in [
        ("events", "event id", 3),
        ("deliveries", "delivery id", 3),
        ("dead-letters", "delivery id", 2),
        ("quarantine", "quarantine id", 3),
        ("handlers", "handler", 2),
    ] {
        for arguments in [vec![noun], vec![noun, "list"]] {
            let table = story.run(&arguments).ok().says(&[title]);
            assert_eq!(table.out.lines().count(), rows + 1, "{}", table.out);
            assert!(
                !table.out.contains('…'),
                "a pipe gets everything: {}",
                table.out
            );
            let json = story.run(&[&arguments[..], &["--json"]].concat()).ok();
            assert_eq!(json.rows().len(), rows, "{}", json.out);
        }
    }
    story.run(&["sources"]).ok().says(&["airalo", "ok"]);
    assert!(
        story
            .run(&["sources", "--json"])
            .ok()
            .rows()
            .iter()
            .any(|row| row["source"] == "airalo")
    );
    story.run(&["storage"]).ok().says(&["outbox", "newest day"]);
    assert!(
        story
            .run(&["storage", "--json"])
            .ok()
            .rows()
            .iter()
            .any(|row| row["table"] == "events")
    );
    story
        .run(&["retention"])
        .ok()
        .says(&["events", "90 days", "forever"]);
    assert!(
        !story
            .run(&["retention", "--json"])
            .ok()
            .out
            .contains("forever"),
        "JSON has what the view has"
    );
    story
        .run(&["backlog"])
        .ok()
        .says(&["oldest ready age", "shop", "mail"]);
    assert_eq!(
        story
            .run(&["backlog", "--handler", "shop", "--json"])
            .ok()
            .rows()[0]["ready"],
        1
    );
    story
        .run(&["retention", "--json"])
        .ok()
        .says(&["\"class\":\"events\""]);
    assert!(
        story
            .run(&["retention", "--preview", "--json"])
            .ok()
            .rows()
            .iter()
            .all(|row| row["rows"] == 0)
    );
    story.run(&["retention", "--preview"]).ok();
    for (noun, words) in [
        ("conflicts", "no conflicts"),
        ("workers", "no workers"),
        ("alerts", "no alerts"),
        ("audit", "the audit log is empty"),
        ("replays", "no replays"),
    ] {
        for form in [&[noun][..], &[noun, "--json"]] {
            assert_eq!(story.run(form).ok().complains(&[words]).out, "", "{noun}");
        }
    }
    story
        .run(&["dead-letters", "--handler", "mail"])
        .ok()
        .complains(&["no dead letters"]);

    story
        .execute(
            "INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) SELECT 'worker', 'host:1', array_agg(id), now() + interval '1 h' FROM hookfast_data.handlers; \
             INSERT INTO hookfast_data.processes (owner, roles, version) VALUES ('host:1', '{ingress,worker}', '0.1.0'); \
             SELECT hookfast_data.raise_alert('hookfast.handler.paused', 'k', '{\"handler\": \"shop\"}'); \
             WITH made AS (INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, conflicts_with, headers, body) \
                SELECT hookfast_data.new_event_id(), e.source_id, 0, e.type || '.conflict', 'webhook', e.idempotency_key || '#conflict:b', e.id, '{}', '{\"price\": 13}' \
                FROM hookfast_data.events e WHERE e.idempotency_key = 'order-1' RETURNING id, source_id, idempotency_key) \
             INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) SELECT source_id, idempotency_key, id FROM made",
        )
        .await;
    story
        .run(&["workers"])
        .ok()
        .says(&["host:1", "mail,shop", "processes", "ingress,worker"]);
    story
        .run(&["workers", "--json"])
        .ok()
        .says(&["\"owner\":\"host:1\""]);
    story
        .run(&["alerts"])
        .ok()
        .says(&["hookfast.handler.paused", "shop"]);
    story
        .run(&["alerts", "--json", "--type", "hookfast.*", "--after", "1h"])
        .ok()
        .says(&["\"handler\":\"shop\""]);
    story.run(&["conflicts"]).ok().says(&[
        &story.event("order-1").await,
        &story.event("order-1#conflict:b").await,
    ]);
    story
        .run(&["conflicts", "--json", "--source", "airalo"])
        .ok()
        .says(&["first_received_at"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_filters_and_pages() {
    let story = Story::new().await;
    let rows = |arguments: &[&str]| {
        story
            .run(&[arguments, &["--json"]].concat())
            .ok()
            .rows()
            .len()
    };
    assert_eq!(rows(&["events", "--type", "airalo.order.completed"]), 2);
    assert_eq!(
        rows(&[
            "events",
            "list",
            "--type",
            "airalo.order.*",
            "--source",
            "airalo",
            "--after",
            "1h"
        ]),
        3
    );
    assert_eq!(rows(&["events", "--type", "airalo.ord.*"]), 0);
    let hint = "airalo.order.completed, airalo.order.failed";
    for (noun, wanted) in [("events", "order.*"), ("events", "stripe.*")] {
        story
            .run(&[noun, "--type", wanted])
            .ok()
            .complains(&["no events of type", "hint: ", hint]);
    }
    story
        .run(&["dead-letters", "--type", "completed"])
        .ok()
        .complains(&["hint: ", "airalo.order.completed"]);
    assert!(
        !story
            .run(&["events", "--before", "1h"])
            .ok()
            .err
            .contains("hint"),
        "no type was asked for"
    );
    assert_eq!(rows(&["events", "--before", "1h"]), 0);
    assert_eq!(
        rows(&[
            "events",
            "--after",
            "2020-01-01 12:00",
            "--before",
            "tomorrow"
        ]),
        3
    );
    assert_eq!(rows(&["events", "--source", "x' OR true --"]), 0);
    assert_eq!(rows(&["deliveries", "--state", "dead"]), 2);
    assert_eq!(rows(&["deliveries", "--state", "delivered,ready"]), 4);
    assert_eq!(
        rows(&["deliveries", "--state", "all", "--handler", "mail"]),
        3
    );
    let third = &*story.event("order-3").await;
    assert_eq!(rows(&["deliveries", "list", "--event", third]), 2);
    assert_eq!(
        rows(&[
            "dead-letters",
            "--error",
            "status 5%",
            "--type",
            "airalo.*",
            "--after",
            "1h"
        ]),
        2
    );
    assert_eq!(rows(&["dead-letters", "--before", "1h"]), 0);
    assert_eq!(
        rows(&[
            "quarantine",
            "--reason",
            "wrong_signature",
            "--source",
            "airalo",
            "--after",
            "1h"
        ]),
        3
    );

    let first = story
        .run(&["events", "list", "--limit", "2", "--source", "airalo"])
        .ok();
    assert_eq!(first.out.lines().count(), 3);
    let next = first
        .err
        .trim()
        .strip_prefix("next page: hookfast ")
        .expect("the next page")
        .to_owned();
    let second = story.run(&next.split(' ').collect::<Vec<_>>()).ok();
    assert!(
        second.out.contains(&story.event("order-1").await) && second.err.is_empty(),
        "{} {}",
        second.out,
        second.err
    );
    assert_eq!(second.out.lines().count(), 2);
    for noun in ["deliveries", "dead-letters", "quarantine"] {
        let mut arguments = vec![noun.to_owned(), "--limit=1".into(), "--json".into()];
        let mut seen = Vec::new();
        loop {
            let page = story
                .run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
                .ok();
            seen.extend(page.rows());
            let Some(next) = page.err.trim().strip_prefix("next page: hookfast ") else {
                break;
            };
            arguments = next.split(' ').map(str::to_owned).collect();
        }
        let all = story.run(&[noun, "--json"]).ok().rows();
        assert_eq!(seen, all, "{noun}");
    }
    story
        .run(&["deliveries", "--older-than", "x"])
        .failed()
        .complains(&["--older-than takes a number here"]);
    assert_eq!(story.run(&["deliveries", "--state", "lost"]).code, 2);
}

/// More than the program can read, and less than Postgres can.
#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_shows_an_event_whatever_its_payload_is() {
    let story = Story::new().await;
    for (payload, shown) in [
        ("repeat('[', 200) || repeat(']', 200)", "[[[[[[["),
        ("'{\"n\": 1e400}'", "{\"n\": 1000"),
    ] {
        let body = format!("UPDATE hookfast_data.events SET body = convert_to({payload}, 'UTF8')");
        story
            .execute(&format!("{body} WHERE idempotency_key = 'order-1'"))
            .await;
        story
            .run(&["events", "show", "order-1"])
            .ok()
            .says(&["order-1", shown, "deliveries"]);
        let row = &story
            .run(&["events", "show", "order-1", "--json"])
            .ok()
            .rows()[0];
        assert!(
            row["payload"]
                .as_str()
                .is_some_and(|text| text.starts_with(shown)),
            "{row}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_tells_of_one_event() {
    let story = Story::new().await;
    let (first, third) = (
        &*story.event("order-1").await,
        &*story.event("order-3").await,
    );
    for text in [first, "order-1", "8988"] {
        story.run(&["events", "show", text]).ok().says(&[
            first,
            "\"iccid\":\"8988\"",
            "deliveries",
            "delivered",
            "dead",
        ]);
        assert_eq!(
            story.run(&["events", "show", text, "--json"]).ok().rows()[0]["payload"]["data"]["price"],
            12
        );
    }
    story
        .run(&["events", "show", third])
        .ok()
        .says(&["is not JSON", "not json", "ready"]);
    story
        .run(&["events", "show", "nothing"])
        .failed()
        .complains(&["no event found by 'nothing'", "hint: "]);
    story.run(&["events", "timeline", "order-1"]).ok().says(&[
        "received",
        "delivered",
        "dead letter",
        "no stock",
    ]);
    assert!(
        story
            .run(&["events", "timeline", "order-1", "--json"])
            .ok()
            .rows()
            .len()
            >= 4
    );
    // Each line names its event in short, and below is the whole id, which a replay wants.
    let short = &first[first.len() - 8..];
    let timeline = story
        .run(&["events", "timeline", "order-1"])
        .ok()
        .says(&["events", "source", first])
        .out;
    let lines: Vec<&str> = timeline
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect();
    assert!(
        lines.len() >= 4 && lines.iter().all(|line| line.contains(short)),
        "{timeline}"
    );
    story.run(&["events", "timeline", "nothing"]).failed();
    story
        .run(&["events", "explain", third])
        .ok()
        .says(&["shop", "pending", "mail", "delivered"]);
    assert_eq!(
        story
            .run(&["events", "explain", third, "--json"])
            .ok()
            .rows()
            .len(),
        2
    );

    story
        .run(&["events", "hold", first, "--why", "a lawsuit"])
        .ok()
        .says(&["is held"]);
    story
        .run(&["events", "unhold", first, "--json"])
        .ok()
        .says(&["{\"done\":"]);
    story
        .run(&["events", "unhold", first])
        .failed()
        .complains(&[
            "is not held",
            "hint: Held events are in hookfast.retention_holds",
        ]);
    story
        .run(&[
            "events",
            "replay",
            first,
            "--handler",
            "mail",
            "--why",
            "again",
        ])
        .ok()
        .says(&["is pending for mail again"])
        .complains(&["same webhook-id", "--new-webhook-id"]);
    let anew = [
        "events",
        "replay",
        first,
        "--handler",
        "shop",
        "--why",
        "again",
        "--new-webhook-id",
    ];
    assert!(!story.run(&anew).ok().err.contains("webhook-id"));
    let replay = story
        .run(&[
            "events",
            "replay",
            third,
            "--handler",
            "mail",
            "--why",
            "again",
            "--json",
        ])
        .ok();
    assert!(replay.rows()[0]["replay_id"].is_i64(), "{}", replay.out);
    story
        .run(&["audit"])
        .ok()
        .says(&["event.held", "a lawsuit", "event.replayed"]);
    assert_eq!(
        story
            .run(&[
                "audit",
                "--json",
                "--action",
                "event.replayed",
                "--target",
                first,
                "--after",
                "1h"
            ])
            .ok()
            .rows()
            .len(),
        2
    );

    let second = &*story.event("order-2").await;
    let before = story.everything().await;
    story
        .run(&["events", "erase", second, "--why", "asked"])
        .failed()
        .complains(&["would erase 1 event\n", "--yes"]);
    let some = [
        "events",
        "erase",
        "--all",
        "--payload",
        "$.data.price < 10",
        "--why",
        "asked",
    ];
    story
        .run(&some)
        .failed()
        .complains(&["would erase 1 event\n", second]);
    assert_eq!(story.everything().await, before);
    story
        .run(&["events", "erase", "--all", "--why", "x"])
        .failed()
        .complains(&["everything there is", "hint: Say which"]);
    story
        .run(&[&some[..], &["--yes"]].concat())
        .ok()
        .says(&["erase: 1 event\n"]);
    story
        .run(&["events", "erase", second, "--why", "x", "--yes"])
        .failed()
        .complains(&["has a payload", "hint: "]);
    story
        .run(&["events", "erase", third, "--why", "x", "--yes"])
        .failed()
        .complains(&["still pending", "hookfast.explain"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_acts_on_one_and_asks_before_many() {
    let story = Story::new().await;
    let before = story.everything().await;
    for (arguments, words) in [
        (
            &[
                "dead-letters",
                "retry",
                "--all",
                "--error",
                "%stock",
                "--payload",
                "$.data.price > 10",
            ][..],
            "would retry 1 dead letter\n",
        ),
        (
            &[
                "dead-letters",
                "discard",
                "--all",
                "--handler",
                "shop",
                "--why",
                "x",
            ],
            "would discard 2 dead letters",
        ),
        (
            &[
                "deliveries",
                "reschedule",
                "--all",
                "--handler",
                "shop",
                "--due-at",
                "2h",
            ],
            "would reschedule 1 delivery\n",
        ),
        (&["quarantine", "reverify"], "would verify again 3 requests"),
        (
            &["quarantine", "discard", "--source", "airalo", "--why", "x"],
            "would discard 3 requests",
        ),
        (
            &["handlers", "pause-all", "--why", "x"],
            "would pause 2 handlers",
        ),
        (
            &[
                "replays",
                "start",
                "--handler",
                "mail",
                "--type",
                "airalo.order.completed",
                "--why",
                "x",
            ],
            "would replay 2 events",
        ),
    ] {
        let ran = story
            .run(arguments)
            .failed()
            .complains(&[words, "not a terminal", "--yes"]);
        assert_eq!(ran.out, "");
    }
    assert_eq!(
        story.everything().await,
        before,
        "a preview changes nothing"
    );
    story
        .run(&["dead-letters", "retry", "--all", "--handler", "mail"])
        .ok()
        .complains(&["no dead letters match"]);
    story
        .run(&["handlers", "resume-all"])
        .ok()
        .complains(&["there is no handler to resume"]);

    let letters = story.run(&["dead-letters", "--json"]).ok().rows();
    let id = |n: usize| letters[n]["delivery_id"].to_string();
    story.run(&["dead-letters", "show", &id(0)]).ok().says(&[
        "attempts_exhausted",
        "no stock",
        "attempts",
        "status 500",
    ]);
    story
        .run(&["dead-letters", "show", &id(0), "--json"])
        .ok()
        .says(&["\"reason\":\"attempts_exhausted\""]);
    story
        .run(&["dead-letters", "show", "1"])
        .failed()
        .complains(&["is not a dead letter", "hint: "]);
    story
        .run(&["dead-letters", "retry", "1"])
        .failed()
        .complains(&["is no dead letter", "hint: It may be pending again"]);
    story
        .run(&["dead-letters", "retry", &id(0), "--max-attempts", "5000"])
        .failed()
        .complains(&["max_attempts is 1 to 1000"]);
    story
        .run(&["dead-letters", "retry", &id(0), "--max-attempts", "5"])
        .ok()
        .says(&["is pending again"]);
    story
        .run(&[
            "deliveries",
            "reschedule",
            &id(0),
            "--due-at",
            "2h",
            "--why",
            "later",
        ])
        .ok()
        .says(&["is rescheduled"]);
    assert_eq!(
        story
            .text("SELECT due_at - now() BETWEEN '119 min' AND '121 min' FROM hookfast_data.outbox WHERE id <> 7")
            .await,
        "true"
    );
    story
        .run(&[
            "deliveries",
            "discard",
            &id(0),
            "--why",
            "done by hand",
            "--json",
        ])
        .ok()
        .says(&["{\"done\":"]);
    story
        .run(&["deliveries", "reschedule", "1", "--due-at", "now"])
        .failed()
        .complains(&["is not pending", "hint: "]);
    story
        .run(&["deliveries", "reschedule", "7", "--due-at", "some day"])
        .failed()
        .complains(&["some day"]);
    let many = [
        "deliveries",
        "reschedule",
        "--all",
        "--handler",
        "shop",
        "--type",
        "airalo.*",
        "--due-at",
        "2h",
        "--yes",
    ];
    story.run(&many).ok().says(&["reschedule: 1 delivery\n"]);
    let retried = story
        .run(&["dead-letters", "retry", "--all", "--yes", "--json"])
        .ok();
    assert_eq!(retried.rows()[0]["changed"], 1, "{}", retried.out);
    story
        .run(&["dead-letters"])
        .ok()
        .complains(&["no dead letters"]);
    story
        .run(&["dead-letters", "discard", &id(1), "--why", "x"])
        .ok()
        .says(&["is discarded"]);
    story
        .run(&["dead-letters", "discard", &id(1), "--why", "x"])
        .failed()
        .complains(&["neither pending nor a dead letter"]);
    assert_eq!(story.run(&["dead-letters", "retry"]).code, 2, "one, or all");
    assert_eq!(
        story.run(&["dead-letters", "retry", "1", "--all"]).code,
        2,
        "not both"
    );

    let requests = story.run(&["quarantine", "--json"]).ok().rows();
    let request = requests[0]["quarantine_id"].to_string();
    story
        .run(&["quarantine", "show", &request])
        .ok()
        .says(&["wrong_signature", "{\"forged\": true}"]);
    story
        .run(&["quarantine", "show", &request, "--json"])
        .ok()
        .says(&["\"body\":\"\\\\x"]);
    story
        .run(&["quarantine", "show", "999"])
        .failed()
        .complains(&["hint: "]);
    story
        .run(&["quarantine", "approve", &request, "--why", ""])
        .failed()
        .complains(&["has to say why"]);
    story
        .run(&["quarantine", "approve", &request, "--why", "they called"])
        .ok()
        .says(&["is approved"]);
    story
        .run(&["quarantine", "reverify", "--source", "none"])
        .failed()
        .complains(&["no source is named none", "hint: "]);
    story
        .run(&["quarantine", "reverify", "--after", "1h", "--yes"])
        .ok()
        .complains(&[
            "2 requests not verified yet",
            "no process with the role ingress",
        ]);
    let answered = "UPDATE hookfast_data.quarantine SET requested_action = NULL, requested_by = NULL, last_result = 'wrong_signature'";
    story.execute(answered).await;
    story
        .run(&[
            "quarantine",
            "discard",
            "--reason",
            "wrong_signature",
            "--why",
            "x",
            "--yes",
            "--json",
        ])
        .ok()
        .says(&["\"changed\":3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_handlers_and_replays() {
    let story = Story::new().await;
    story.run(&["handlers", "show", "shop"]).ok().says(&[
        "airalo.*",
        "backlog",
        "failures of the last day",
        "status 500",
    ]);
    story
        .run(&["handlers", "show", "shop", "--json"])
        .ok()
        .says(&["\"dead_letters\":2"]);
    story
        .run(&["handlers", "show", "none"])
        .failed()
        .complains(&["no handler is named 'none'", "hint: "]);
    story
        .run(&["handlers", "failures"])
        .ok()
        .says(&["shop", "status 500", "no stock"]);
    assert_eq!(
        story
            .run(&["handlers", "failures", "shop", "--json"])
            .ok()
            .rows()[0]["count"],
        2
    );
    story
        .run(&["handlers", "failures", "mail"])
        .ok()
        .complains(&["no failed attempts"]);
    let handlers = "hint: existing handlers: mail, shop";
    for list in ["deliveries", "dead-letters", "replays", "backlog"] {
        let nobody = [list, "--handler", "ship"];
        story
            .run(&nobody)
            .ok()
            .complains(&["no handler is named 'ship'", handlers]);
    }
    story
        .run(&["handlers", "failures", "ship"])
        .ok()
        .complains(&["no handler is named 'ship'", handlers]);
    for list in ["events", "conflicts", "quarantine"] {
        story
            .run(&[list, "--source", "arialo"])
            .ok()
            .complains(&["no source is named 'arialo'", "airalo"]);
    }
    story
        .run(&["handlers", "pause", "shop", "--why", "stock is counted"])
        .ok()
        .says(&["is paused"]);
    story
        .run(&["handlers"])
        .ok()
        .says(&["paused", "stock is counted"]);
    story
        .run(&["handlers", "resume", "shop", "--json"])
        .ok()
        .says(&["{\"done\":"]);
    story
        .run(&["handlers", "resume", "none"])
        .failed()
        .complains(&["no handler is named none", "hint: "]);
    story
        .run(&["handlers", "pause-all", "--why", "a move", "--yes"])
        .ok()
        .says(&["pause: 2 handlers"]);
    story
        .run(&["handlers", "resume-all", "--yes", "--json"])
        .ok()
        .says(&["{\"changed\":2}"]);

    let start = [
        "replays",
        "start",
        "--handler",
        "mail",
        "--payload",
        "$.data.price > 1",
        "--per-second",
        "5",
        "--why",
        "lost",
    ];
    let same_id = "receivers see the same webhook-id as before";
    story
        .run(&[&start[..], &["--yes"]].concat())
        .ok()
        .says(&["replay 1 of 2 events started"])
        .complains(&[same_id, "--new-webhook-id"]);
    let started = story
        .run(&[&start[..], &["--yes", "--json", "--new-webhook-id"]].concat())
        .ok();
    assert!(!started.err.contains(same_id), "{}", started.err);
    assert_eq!(started.rows()[0]["replay_id"], 2, "{}", started.out);
    story
        .run(&["replays", "start", "--handler", "none", "--why", "x"])
        .failed()
        .complains(&["no handler is named none", "hint: "]);
    story
        .run(&["replays"])
        .ok()
        .says(&["running", "mail", "lost"]);
    assert_eq!(
        story
            .run(&[
                "replays",
                "list",
                "--state",
                "running",
                "--handler",
                "mail",
                "--json"
            ])
            .ok()
            .rows()
            .len(),
        2
    );
    story
        .run(&["replays", "show", "1"])
        .ok()
        .says(&["per second", "$.\"data\".\"price\""]);
    story
        .run(&["replays", "show", "1", "--json"])
        .ok()
        .says(&["\"matching\":2"]);
    story
        .run(&["replays", "show", "9"])
        .failed()
        .complains(&["there is no replay 9"]);
    story
        .run(&["replays", "pause", "1"])
        .ok()
        .says(&["is paused"]);
    story
        .run(&["replays", "pause", "1"])
        .failed()
        .complains(&["replay 1 is paused; nothing was changed", "hint: "]);
    story
        .run(&["replays", "resume", "1"])
        .ok()
        .says(&["resumed"]);
    story
        .run(&["replays", "cancel", "1", "--json"])
        .ok()
        .says(&["{\"done\":"]);
    story
        .run(&["replays", "watch", "1"])
        .failed()
        .says(&["cancelled"]);
    story.run(&["replays", "watch", "9"]).failed();
    let watched = {
        let url = story.database.url().to_owned();
        tokio::task::spawn_blocking(move || run(&url, &["replays", "watch", "2"]))
    };
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    story.execute("UPDATE hookfast_data.replays SET state = 'done', replayed = 2, ended_at = now() WHERE id = 2").await;
    watched
        .await
        .expect("it ran")
        .ok()
        .says(&["running, 0 of 2", "done, 2 of 2 (100 %)"]);
    story
        .run(&["replays", "watch", "2", "--json"])
        .ok()
        .says(&["\"state\":\"done\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_status_says_whether_and_where() {
    let story = Story::new().await;
    let trouble = story.run(&["status"]).failed().says(&[
        "intake",
        "no live process takes webhooks",
        "handler",
    ]);
    assert!(
        trouble.out.starts_with("UNHEALTHY: intake ingress"),
        "{}",
        trouble.out
    );
    assert_eq!(
        story.run(&["status", "--json"]).failed().rows()[0]["state"],
        "critical"
    );
    story
        .execute(
            "INSERT INTO hookfast_data.processes (owner, roles, version) VALUES ('host:1', '{ingress,worker}', '0.1.0'); \
             INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) SELECT 'worker', 'host:1', array_agg(id), now() + interval '1 h' FROM hookfast_data.handlers",
        )
        .await;
    let well = story.run(&["status"]).ok();
    assert!(
        well.out
            .starts_with("OK: intake is safe and work is moving\n"),
        "{}",
        well.out
    );
    assert_eq!(
        story.run(&["status", "--json"]).ok().rows()[0]["state"],
        "ok"
    );

    let mut watching = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    watching
        .args(["status", "--watch"])
        .env("DATABASE_URL", story.database.url())
        .stdout(Stdio::piped());
    let watching = watching.spawn().expect("it runs");
    tokio::time::sleep(std::time::Duration::from_millis(3500)).await;
    let id = nix::unistd::Pid::from_raw(watching.id().try_into().expect("a process id"));
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).expect("sent");
    let watched = watching.wait_with_output().expect("it ends");
    let out = String::from_utf8_lossy(&watched.stdout).into_owned();
    assert!(
        watched.status.success() && out.matches("OK: ").count() >= 2,
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_errors_say_what_to_do() {
    let story = Story::new().await;
    let missing = run("", &["events"]).failed();
    assert!(
        missing.err.contains("DATABASE_URL is not set"),
        "{}",
        missing.err
    );
    run("postgres://127.0.0.1:1/none", &["status"])
        .failed()
        .complains(&["cannot query the database"]);
    run("mysql://u@127.0.0.1/d", &["status"])
        .failed()
        .complains(&["begins with mysql:", "needs Postgres"]);
    let away = story.database.url().replace("/test_", "/no_such_database_");
    let refused = run(&away, &["status"]).failed();
    assert!(
        refused.err.contains("does not exist (SQLSTATE 3D000)"),
        "{}",
        refused.err
    );
    assert!(
        !refused.err.contains("at line"),
        "the server's source code is nobody's business: {}",
        refused.err
    );
    story
        .run(&["events", "--after", "some day"])
        .failed()
        .complains(&["some day"]);
    story
        .run(&["events", "--older-than", "x"])
        .failed()
        .complains(&["uuid"]);
    story
        .run(&["dead-letters", "retry", "--all", "--payload", "$["])
        .failed()
        .complains(&["jsonpath"]);

    // As a role that may nothing, and as one that may only read.
    let role = format!("cli_{}", story.text("SELECT current_database()").await);
    story.execute(&format!("CREATE ROLE {role} NOLOGIN")).await;
    let separator = if story.database.url().contains('?') {
        '&'
    } else {
        '?'
    };
    let limited = format!(
        "{}{separator}options=-c%20role%3D{role}",
        story.database.url()
    );
    run(&limited, &["events"])
        .failed()
        .complains(&["permission denied", "hookfast_reader"]);
    story
        .execute(&format!(
            "GRANT USAGE ON SCHEMA hookfast TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA hookfast TO {role}"
        ))
        .await;
    run(&limited, &["events"]).ok();
    let refused = run(&limited, &["handlers", "pause", "shop", "--why", "x"]).failed();
    assert!(
        refused.err.contains("this takes hookfast_operator"),
        "{}",
        refused.err
    );
    story
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;

    story
        .execute("DROP FUNCTION hookfast.pause_all_handlers(text); DROP VIEW hookfast.alerts")
        .await;
    story
        .run(&["alerts"])
        .failed()
        .complains(&["run `hookfast migrate`"]);
    story
        .run(&["handlers", "pause-all", "--why", "x", "--yes"])
        .failed()
        .complains(&["run `hookfast migrate`"]);
}

#[test]
fn operate_cli_completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        run("", &["completions", shell])
            .ok()
            .says(&["dead-letters", "quarantine", "backlog"]);
    }
    assert_eq!(run("", &["completions", "no-such-shell"]).code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_is_retired_after_a_preview_and_refused_while_it_is_served() {
    let story = Story::new().await;
    let before = story.everything().await;
    let retire = ["handlers", "retire", "shop", "--why", "renamed"];
    let asked = story.run(&retire).failed();
    asked.complains(&[
        "would retire handler shop and discard 1 pending delivery",
        "7",
        "not a terminal",
    ]);
    let process = "INSERT INTO hookfast_data.processes (owner, roles, version, handlers) VALUES ('host:1', '{worker}', '0.1.0', '{shop}')";
    assert_eq!(story.everything().await, before);
    story.execute(process).await;
    let refused = story.run(&[&retire[..], &["--yes"]].concat()).failed();
    refused.complains(&[
        "handler shop is in use: the process host:1 has it",
        "hint: Remove the handler from",
    ]);
    story.execute("DELETE FROM hookfast_data.processes").await;
    let kept = story
        .run(&[&retire[..], &["--keep", "--yes"]].concat())
        .ok();
    kept.says(&["handler shop is retired; 1 pending delivery kept"]);
    story
        .run(&["handlers", "show", "shop"])
        .ok()
        .says(&["retired why", "renamed"]);
    let done = story.run(&[&retire[..], &["--yes"]].concat()).ok();
    done.says(&["handler shop is retired; 1 pending delivery discarded"]);
    story.run(&["handlers"]).ok().says(&["retired", "renamed"]);
    story
        .run(&["handlers", "retire", "crm", "--why", "x", "--yes"])
        .failed()
        .complains(&["no handler is named crm"]);
    let json = story
        .run(&[
            "handlers", "retire", "mail", "--why", "x", "--yes", "--json",
        ])
        .ok();
    assert_eq!(json.rows()[0]["changed"], 0);
}

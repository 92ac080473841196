//! What is kept of notifications: in whatever order and however often they come, what they leave is the same.

use crate::support::{
    postgres::{self, Database},
    wait_until,
};
use hookfast::sources::{
    SourceKind,
    airalo::{Airalo, sample},
};
use proptest::{prelude::*, test_runner::TestRunner};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use std::sync::Arc;

/// Events that are brought in by hand, as the `sql` handler brings them.
struct Projection {
    pool: PgPool,
    _database: Database,
}

/// An event: which one of a story, and its body. The later one has the larger id.
struct Event {
    number: u32,
    body: Vec<u8>,
    conflict: bool,
}

impl Event {
    fn new(number: u32, body: impl Into<Vec<u8>>) -> Self {
        Self {
            number,
            body: body.into(),
            conflict: false,
        }
    }

    fn conflict(number: u32, body: impl Into<Vec<u8>>) -> Self {
        Self {
            number,
            body: body.into(),
            conflict: true,
        }
    }
}

impl Projection {
    async fn new() -> Self {
        let database = postgres::database().await;
        let pool = database.pool().await;
        sqlx::raw_sql(
            "INSERT INTO hookfast_data.sources (name, kind) VALUES ('airalo', 'airalo'), ('second', 'airalo')",
        )
        .execute(&pool)
        .await
        .expect("sources");
        Self {
            pool,
            _database: database,
        }
    }

    async fn bring(&self, event: &Event) {
        self.bring_to("airalo", event).await;
    }

    async fn bring_to(&self, source: &str, event: &Event) {
        self.try_bring(source, event).await.expect("projected");
    }

    async fn try_bring(&self, source: &str, event: &Event) -> Result<(), sqlx::Error> {
        self.try_bring_in(&mut *self.pool.acquire().await?, source, event)
            .await
    }

    async fn try_bring_in(
        &self,
        connection: &mut PgConnection,
        source: &str,
        event: &Event,
    ) -> Result<(), sqlx::Error> {
        let described = Airalo.describe(None, &axum::http::HeaderMap::new(), &event.body);
        let conflict = if event.conflict { ".conflict" } else { "" };
        sqlx::query(
            "SELECT hookfast.airalo_project_event(ROW(lpad(to_hex($1), 8, '0')::text || '-0000-7000-8000-000000000000', $6, $2, NULL, 'webhook', \
                '2026-01-01'::timestamptz + $1 * interval '1 minute', $3, CASE WHEN $4 <> '' THEN gen_random_uuid() END, '{}', \
                hookfast_data.as_jsonb($5), $5, 1, 1)::hookfast.event)",
        )
        .bind(i32::try_from(event.number).expect("small"))
        .bind(format!("{}{conflict}", described.event_type.as_str()))
        .bind(described.identity.key.as_str())
        .bind(conflict)
        .bind(&event.body)
        .bind(source)
        .execute(connection)
        .await
        .map(drop)
    }

    async fn text(&self, query: &str) -> String {
        let query = format!("SELECT coalesce(({query})::text, 'null')");
        sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&self.pool)
            .await
            .expect("a text")
    }

    /// All there is.
    async fn whole(&self) -> String {
        self.text(
            "SELECT jsonb_build_object(\
                'orders', (SELECT jsonb_agg(to_jsonb(o) ORDER BY o.request_id, o.order_id) FROM hookfast.airalo_orders o), \
                'sims', (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.iccid) FROM hookfast.airalo_sims s), \
                'low', (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.iccid) FROM hookfast.airalo_low_data l), \
                'credit', (SELECT jsonb_agg(to_jsonb(c)) FROM hookfast.airalo_credit c))",
        )
        .await
    }

    async fn empty(&self) {
        sqlx::raw_sql("TRUNCATE hookfast_data.airalo_sims, hookfast_data.airalo_orders, hookfast_data.airalo_low_data, hookfast_data.airalo_credit")
            .execute(&self.pool)
            .await
            .expect("emptied");
    }
}

fn body(name: &str) -> &'static [u8] {
    sample(name).expect(name)
}

#[tokio::test]
async fn each_fixture_leaves_what_it_says() {
    let projection = Projection::new().await;
    let fixtures =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/airalo/webhook");
    let read = |name: &str| std::fs::read(fixtures.join(name)).expect(name);
    for (number, name, orders) in [
        (1, "async_order_success.documented.raw.json", "completed"),
        (2, "async_order_success.observed-2024.raw.json", "completed"),
        (
            3,
            "async_order_success.multi-sim-unicode.raw.json",
            "completed",
        ),
        (4, "async_order_failure.candidate-data.raw.json", "failed"),
        (5, "async_order_failure.candidate-root.raw.json", "failed"),
        (
            6,
            "async_order_failure.candidate-root-noreasoncode.raw.json",
            "failed",
        ),
    ] {
        projection.empty().await;
        projection.bring(&Event::new(number, read(name))).await;
        assert_eq!(
            projection
                .text("SELECT string_agg(state, ',') FROM hookfast.airalo_orders")
                .await,
            orders,
            "{name}"
        );
        let sims = "SELECT count(*) FROM hookfast.airalo_sims";
        assert_eq!(
            projection.text(sims).await == "0",
            orders == "failed",
            "{name}"
        );
    }
    // What Airalo's older producer puts under numeric keys is where it belongs.
    projection.empty().await;
    projection
        .bring(&Event::new(
            1,
            read("async_order_success.observed-2024.raw.json"),
        ))
        .await;
    let order = "SELECT concat_ws(' ', order_id, code, package_id, quantity, price, net_price, ordered_at AT TIME ZONE 'UTC', possible_double_purchase) FROM hookfast.airalo_orders";
    assert_eq!(
        projection.text(order).await,
        "700001 20241002-700001 change-30days-3gb 1 11 8.8 2024-10-02 00:35:29 f"
    );
    let sim = "SELECT concat_ws(' ', iccid, request_id, order_id, conflict, matching_id, is_roaming) FROM hookfast.airalo_sims";
    assert_eq!(
        projection.text(sim).await,
        "8900000000000000010 e_TESTrequest-id_00000001 700001 f TEST t"
    );
}

/// Where the documentation and what was seen disagree (contract, section 10), both are read alike.
#[tokio::test]
async fn both_readings_of_what_sources_disagree_about_leave_the_same() {
    let projection = Projection::new().await;
    let order = |members: &str| {
        format!(r#""id":7,"package_id":"p","description":"d","sims":[{{"iccid":"8901"}}]{members}"#)
    };
    let readings = [
        // Where request_id is: at the root beside data, all at the root, inside data.
        [
            format!(r#"{{"data":{{{}}},"request_id":"r"}}"#, order("")),
            format!(r#"{{{},"request_id":"r"}}"#, order("")),
            format!(r#"{{"data":{{{},"request_id":"r"}}}}"#, order("")),
        ],
        // The quantity as a number and as a text.
        [
            format!(
                r#"{{"data":{{{}}},"request_id":"r"}}"#,
                order(r#","quantity":2"#)
            ),
            format!(
                r#"{{"data":{{{}}},"request_id":"r"}}"#,
                order(r#","quantity":"2""#)
            ),
            format!(
                r#"{{"data":{{{}}},"request_id":"r"}}"#,
                order(r#","quantity":" 2 ""#)
            ),
        ],
        // Prices flat, and under keys whose numbers vary.
        [
            format!(
                r#"{{"data":{{{}}},"request_id":"r"}}"#,
                order(r#","net_price":8.80,"text":10"#)
            ),
            format!(
                r#"{{"data":{{{}}},"request_id":"r"}}"#,
                order(r#","0":{"data":{"text":10}},"1":{"data":{"net_price":8.80}}"#)
            ),
            format!(
                r#"{{"data":{{{}}},"request_id":"r"}}"#,
                order(r#","3":{"data":{"net_price":"8.80","text":"10"}}"#)
            ),
        ],
        // The remaining percentage as a whole number, with a fraction, as a text.
        [
            r#"{"level":"75%","package_name":"p","remaining_percentage":24,"iccid":"8901"}"#
                .to_owned(),
            r#"{"level":"75%","package_name":"p","remaining_percentage":24.0,"iccid":"8901"}"#
                .to_owned(),
            r#"{"level":"75%","package_name":"p","remaining_percentage":"24","iccid":8901}"#
                .to_owned(),
        ],
    ];
    for readings in readings {
        let mut left = Vec::new();
        for reading in &readings {
            projection.empty().await;
            projection.bring(&Event::new(1, reading.as_bytes())).await;
            // Of a number its value counts, not how many zeros it was written with.
            left.push(projection.whole().await.replace("24.0", "24"));
        }
        assert!(left[0].contains("8901"), "{}", left[0]);
        assert_eq!(left[0], left[1], "{readings:?}");
        assert_eq!(left[0], left[2], "{readings:?}");
    }
}

#[tokio::test]
async fn a_conflict_keeps_all_iccids_and_is_flagged() {
    let projection = Projection::new().await;
    projection
        .bring(&Event::new(1, body("order.completed")))
        .await;
    projection
        .bring(&Event::conflict(2, body("order.conflict")))
        .await;
    let order = "SELECT count(*) || ' ' || bool_and(possible_double_purchase) || ' ' || max(cardinality(conflict_event_ids)) FROM hookfast.airalo_orders";
    assert_eq!(projection.text(order).await, "1 true 1");
    let sims = "SELECT count(DISTINCT order_id) || ' ' || count(*) FILTER (WHERE conflict) || ' ' || (count(*) > count(*) FILTER (WHERE conflict)) FROM hookfast.airalo_sims";
    assert_eq!(projection.text(sims).await, "2 1 true");
}

#[tokio::test]
async fn two_accounts_may_be_told_of_the_same_numbers() {
    let projection = Projection::new().await;
    projection
        .bring(&Event::new(1, body("order.completed")))
        .await;
    projection
        .bring_to("second", &Event::new(2, body("order.completed")))
        .await;
    let each = "SELECT string_agg(o.source || ' ' || o.state || ' ' || o.possible_double_purchase, ', ' ORDER BY o.source) FROM hookfast.airalo_orders o";
    assert_eq!(
        projection.text(each).await,
        "airalo completed false, second completed false"
    );
    assert_eq!(
        projection
            .text(
                "SELECT count(DISTINCT source) = 2 AND count(*) = 2 * count(DISTINCT iccid) FROM hookfast.airalo_sims"
            )
            .await,
        "true"
    );
}

#[tokio::test]
async fn what_is_none_of_airalos_leaves_nothing() {
    let projection = Projection::new().await;
    for (number, strange) in [
        r#"{"x":1}"#,
        r#"[1]"#,
        r#"{"data":{"sims":[{}]},"meta":{}}"#,
        r#"{"reason":"only that"}"#,
    ]
    .iter()
    .enumerate()
    {
        projection
            .bring(&Event::new(
                u32::try_from(number).expect("small"),
                strange.as_bytes(),
            ))
            .await;
    }
    let whole: serde_json::Value = serde_json::from_str(&projection.whole().await).expect("JSON");
    assert!(
        whole
            .as_object()
            .expect("an object")
            .values()
            .all(serde_json::Value::is_null),
        "{whole}"
    );
}

/// What installs an eSIM is for operators.
#[tokio::test]
async fn readers_see_no_codes() {
    let projection = Projection::new().await;
    projection
        .bring(&Event::new(1, body("order.completed")))
        .await;
    let secrets = "SELECT concat_ws(' ', lpa, matching_id, qrcode, qrcode_url, direct_apple_installation_url) FROM hookfast.airalo_sims LIMIT 1";
    assert!(projection.text(secrets).await.contains("LPA:1"));
    let role = format!("hookfast_it_reader_{}", std::process::id());
    let as_reader = format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA hookfast TO {role}; GRANT SELECT ON hookfast.airalo_sims TO {role}"
    );
    sqlx::raw_sql(AssertSqlSafe(as_reader))
        .execute(&projection.pool)
        .await
        .expect("a role");
    let mut reader = projection.pool.begin().await.expect("a transaction");
    sqlx::raw_sql(AssertSqlSafe(format!("SET LOCAL ROLE {role}")))
        .execute(&mut *reader)
        .await
        .expect("a reader");
    let seen: String = sqlx::query_scalar(AssertSqlSafe(secrets.to_owned()))
        .fetch_one(&mut *reader)
        .await
        .expect("a row");
    assert_eq!(seen.replace(" ***", "***"), "*".repeat(15), "{seen}");
    reader.rollback().await.expect("rolled back");
    sqlx::raw_sql(AssertSqlSafe(format!(
        "DROP OWNED BY {role}; DROP ROLE {role}"
    )))
    .execute(&projection.pool)
    .await
    .expect("gone");
}

/// A story of one request: it failed, was completed, conflicted, was found in Airalo's list; with low data and credit.
fn story() -> Vec<Event> {
    let order = |id: u32, iccid: &str, request: &str| {
        format!(
            r#"{{"data":{{"id":{id},"description":"d","price":{id}.5,"sims":[{{"iccid":"{iccid}","matching_id":"m{id}"}}]}}{request}}}"#
        )
    };
    let low = |level: &str, left: u32| {
        format!(
            r#"{{"level":"{level}","package_name":"p","remaining_percentage":{left},"iccid":"8901"}}"#
        )
    };
    vec![
        Event::new(1, r#"{"data":{"code":34,"reason":"no"},"request_id":"r"}"#),
        Event::new(2, order(7, "8901", r#","request_id":"r""#)),
        Event::conflict(3, order(8, "8902", r#","request_id":"r""#)),
        Event::conflict(4, order(9, "8903", r#","request_id":"r""#)),
        // The first, as Airalo's list has it, without the request.
        Event::new(5, order(7, "8901", "")),
        Event::new(6, low("75%", 25)),
        Event::new(7, low("90%", 10)),
        Event::new(
            8,
            r#"{"message":"Surpassed 50% of the credit limit balance","remaining":500}"#,
        ),
        Event::new(
            9,
            r#"{"message":"Surpassed 80% of the credit limit balance","remaining":200}"#,
        ),
    ]
}

#[test]
fn any_order_and_any_repetition_leave_the_same() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (projection, expected) = runtime.block_on(async {
        let projection = Projection::new().await;
        for event in story() {
            projection.bring(&event).await;
        }
        let expected = projection.whole().await;
        (projection, expected)
    });
    for part in [
        "\"90\"",
        "\"80\"",
        "8902",
        "8903",
        "\"possible_double_purchase\": true",
        "\"state\": \"completed\"",
    ] {
        assert!(expected.contains(part), "{part} is not in {expected}");
    }
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let count = story().len();
    let orders = (
        Just((0..count).collect::<Vec<_>>()).prop_shuffle(),
        prop::collection::vec(0..count, 0..6),
    );
    runner
        .run(&orders, |(mut order, again)| {
            order.extend(again);
            let left = runtime.block_on(async {
                projection.empty().await;
                for event in &order {
                    projection.bring(&story()[*event]).await;
                }
                projection.whole().await
            });
            prop_assert_eq!(&left, &expected);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

/// Postgres holds neither a NUL nor half of a surrogate pair: the order counts, whatever its description says.
#[tokio::test]
async fn an_order_that_postgres_cannot_hold_as_jsonb_is_projected_all_the_same() {
    let projection = Projection::new().await;
    for (escape, read) in [
        (r"gift \ud83d", "gift \u{fffd}"),
        (r"x\u0000y", "x\u{fffd}y"),
        (r"\\ud83d \ude00", "\\ud83d \u{fffd}"),
    ] {
        projection.empty().await;
        let order = format!(
            r#"{{"request_id":"r","data":{{"id":7,"description":"{escape}","package":"\ud83d\ude00 \u20ac","sims":[{{"iccid":"8901"}}]}}}}"#
        );
        projection.bring(&Event::new(1, order)).await;
        let row = "SELECT concat_ws('|', request_id, order_id, state, description, package) FROM hookfast.airalo_orders";
        assert_eq!(
            projection.text(row).await,
            format!("r|7|completed|{read}|\u{1f600} \u{20ac}")
        );
        assert_eq!(
            projection
                .text("SELECT iccid FROM hookfast.airalo_sims")
                .await,
            "8901"
        );
    }
}

/// Never delivered and absent: what cannot be projected says so, and is a dead letter.
#[tokio::test]
async fn what_cannot_be_projected_is_refused_with_the_reason() {
    let projection = Projection::new().await;
    sqlx::raw_sql(
        "INSERT INTO hookfast_data.sources (name, kind) VALUES ('acme', 'standard_webhooks')",
    )
    .execute(&projection.pool)
    .await
    .expect("a source");
    let refused = async |source: &str, body: &str| {
        let error = projection
            .try_bring(source, &Event::new(1, body))
            .await
            .expect_err("refused");
        let error = error.into_database_error().expect("ours");
        (
            error.code().expect("a code").into_owned(),
            error.message().to_owned(),
        )
    };
    let order = r#"{"request_id":"r","data":{"id":7,"sims":[{"iccid":"8901"}]}}"#;
    let (code, message) = refused("acme", order).await;
    assert_eq!(code, "HF001");
    assert!(message.contains("acme is not of kind airalo"), "{message}");
    assert_eq!(refused("nobody", order).await.0, "HF001");
    let nameless = r#"{"data":{"sims":[{"iccid":"8901"}]}}"#;
    let (code, message) = refused("airalo", nameless).await;
    assert_eq!(code, "HF001");
    assert!(
        message.contains("neither a request_id nor an id"),
        "{message}"
    );
    assert_eq!(
        projection
            .text("SELECT count(*) FROM hookfast.airalo_orders")
            .await,
        "0"
    );
    // It is what it says, but no JSON that Postgres reads: as a database of another encoding may refuse it.
    let unreadable = "SELECT hookfast.airalo_project_event(ROW(gen_random_uuid(), 'airalo', 'airalo.order.completed', NULL, 'webhook', now(), \
        'k', NULL, '{}', NULL, '{\"a\":', 1, 1)::hookfast.event)";
    let error = sqlx::raw_sql(unreadable)
        .execute(&projection.pool)
        .await
        .expect_err("refused");
    assert_eq!(
        error.into_database_error().expect("ours").code().as_deref(),
        Some("HF001")
    );
}

/// The first order of a request was found without its request, the second one's webhook came: in either order.
#[tokio::test]
async fn a_conflict_tells_the_request_of_what_was_found_without_it() {
    let projection = Projection::new().await;
    let found = r#"{"data":{"id":7,"description":"d","sims":[{"iccid":"8901"}]}}"#;
    let second =
        r#"{"request_id":"r","data":{"id":8,"description":"d","sims":[{"iccid":"8902"}]}}"#;
    let mut left = Vec::new();
    for first in [true, false] {
        projection.empty().await;
        sqlx::raw_sql("DELETE FROM hookfast_data.events")
            .execute(&projection.pool)
            .await
            .expect("emptied");
        let store = "INSERT INTO hookfast_data.events (id, source_id, subscription_version, received_at, type, origin, idempotency_key, headers, body) \
            SELECT hookfast_data.new_event_id(), id, 0, '2026-01-01', 'airalo.order.completed', 'api', 'order:id:7:completed', '{}', convert_to($1, 'UTF8') \
            FROM hookfast_data.sources WHERE name = 'airalo'";
        sqlx::query(store)
            .bind(found)
            .execute(&projection.pool)
            .await
            .expect("stored");
        let project = |one: &str| {
            let own = match one {
                "first" => "SELECT hookfast.airalo_project_event(ROW(e.id, 'airalo', e.type, NULL, e.origin, e.received_at, e.idempotency_key, NULL, \
                    '{}', hookfast_data.as_jsonb(e.body), e.body, 1, 1)::hookfast.event) FROM hookfast_data.events e".to_owned(),
                _ => format!("SELECT hookfast.airalo_project_event(ROW('ffffffff-0000-7000-8000-000000000000', 'airalo', 'airalo.order.completed.conflict', NULL, \
                    'webhook', '2026-01-02'::timestamptz, 'order:r:completed#conflict:x', e.id, '{{}}', '{second}'::jsonb, '{second}'::bytea, 1, 1)::hookfast.event) \
                    FROM hookfast_data.events e"),
            };
            let pool = projection.pool.clone();
            async move {
                sqlx::raw_sql(AssertSqlSafe(own))
                    .execute(&pool)
                    .await
                    .expect("projected")
            }
        };
        for one in if first {
            ["first", "second", "first"]
        } else {
            ["second", "first", "second"]
        } {
            project(one).await;
        }
        let orders = "SELECT string_agg(concat_ws(' ', request_id, order_id, state, cardinality(conflict_event_ids)), ', ') FROM hookfast.airalo_orders";
        let sims = "SELECT string_agg(concat_ws(' ', iccid, request_id, order_id, conflict), ', ' ORDER BY iccid) FROM hookfast.airalo_sims";
        left.push((projection.text(orders).await, projection.text(sims).await));
    }
    let expected = (
        "r 7 completed 1".to_owned(),
        "8901 r 7 f, 8902 r 8 t".to_owned(),
    );
    assert_eq!(left, [expected.clone(), expected]);
}

/// A completed order with a description, by two numbers of its own.
fn described(number: u32) -> Event {
    let (request, iccid) = (format!("r{number}"), format!("89{number:05}"));
    Event::new(
        number,
        format!(
            r#"{{"meta":{{"message":"success"}},"request_id":"{request}","data":{{"id":{number},"description":"shop-1","sims":[{{"iccid":"{iccid}"}}]}}}}"#
        ),
    )
}

const DOUBLES: &str = "SELECT count(*) FROM hookfast.airalo_orders WHERE possible_double_purchase AND cardinality(conflict_event_ids) = 1";

/// Neither transaction sees what the other writes, so that they have to wait for each other.
#[tokio::test]
async fn two_results_of_one_description_at_once_are_flagged() {
    let projection = Projection::new().await;
    sqlx::raw_sql("SELECT hookfast.airalo_expect_order('r1', 'shop-1', source => 'airalo')")
        .execute(&projection.pool)
        .await
        .expect("expected");
    let mut first = projection.pool.begin().await.expect("a transaction");
    projection
        .try_bring_in(&mut first, "airalo", &described(1))
        .await
        .expect("projected");
    let projection = Arc::new(projection);
    let other = projection.clone();
    let second = tokio::spawn(async move { other.bring(&described(2)).await });
    wait_until("the second one", async || {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        projection.text(waiting).await == "1"
    })
    .await;
    first.commit().await.expect("committed");
    second.await.expect("projected");
    assert_eq!(projection.text(DOUBLES).await, "2");
}

/// Each has its own row and flags the other's.
#[tokio::test(flavor = "multi_thread")]
async fn results_of_one_description_that_come_again_at_once_do_not_deadlock() {
    let projection = Arc::new(Projection::new().await);
    sqlx::raw_sql("SELECT hookfast.airalo_expect_order('r1', 'shop-1', source => 'airalo')")
        .execute(&projection.pool)
        .await
        .expect("expected");
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let replay = |number| {
        let (projection, barrier) = (projection.clone(), barrier.clone());
        tokio::spawn(async move {
            for _ in 0..100 {
                barrier.wait().await;
                projection
                    .try_bring("airalo", &described(number))
                    .await
                    .expect("projected");
            }
        })
    };
    let (one, other) = (replay(1), replay(2));
    one.await.expect("without a deadlock");
    other.await.expect("without a deadlock");
    assert_eq!(projection.text(DOUBLES).await, "2");
}

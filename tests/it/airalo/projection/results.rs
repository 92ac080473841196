//! The rows of single results, what cannot be projected, and what readers see.

use super::{Event, Projection, body};
use sqlx::AssertSqlSafe;

#[tokio::test]
async fn each_fixture_is_projected_as_expected() {
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
    // Values that Airalo's older producer puts under numeric keys are read correctly.
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

/// If the documentation and observed webhooks disagree (contract, section 10), both are read in the
/// same way.
#[tokio::test]
async fn both_forms_that_sources_disagree_about_are_projected_alike() {
    let projection = Projection::new().await;
    let order = |members: &str| {
        format!(r#""id":7,"package_id":"p","description":"d","sims":[{{"iccid":"8901"}}]{members}"#)
    };
    let readings = [
        // The position of request_id: at the root beside data, everything at the root, inside data.
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
        // Prices at the top level, and under keys whose numbers vary.
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
            // The value of a number counts, not its number of zeros.
            left.push(projection.whole().await.replace("24.0", "24"));
        }
        assert!(left[0].contains("8901"), "{}", left[0]);
        assert_eq!(left[0], left[1], "{readings:?}");
        assert_eq!(left[0], left[2], "{readings:?}");
    }
}

#[tokio::test]
async fn two_accounts_may_use_the_same_order_ids() {
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
async fn foreign_payloads_are_not_projected() {
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

/// Only operators see the data that installs an eSIM.
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
    .expect("dropped");
}

/// Postgres can hold neither a NUL nor half of a surrogate pair. The order is projected whatever
/// its description contains.
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

/// An event that cannot be projected raises an error and becomes a dead letter. Otherwise it would
/// be delivered and missing.
#[tokio::test]
async fn a_payload_that_cannot_be_projected_fails_with_the_reason() {
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
    // The type is right, but the body is JSON that Postgres cannot read, as a database with another
    // encoding may reject it.
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

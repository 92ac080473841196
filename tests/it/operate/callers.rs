//! The public functions return the same whatever the caller's session settings are.

use super::Story;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

const SETTINGS: [&str; 13] = [
    "standard_conforming_strings = off",
    "DateStyle = 'German, DMY'",
    "IntervalStyle = 'iso_8601'",
    "TimeZone = 'Pacific/Apia'",
    "extra_float_digits = -15",
    "bytea_output = 'escape'",
    "array_nulls = off",
    "transform_null_equals = on",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_deferrable = on",
    "search_path = 'pg_catalog'",
    "lc_messages = 'C'; SET lc_monetary = 'C'; SET lc_numeric = 'C'; SET lc_time = 'C'",
    "plan_cache_mode = 'force_generic_plan'",
];

/// Events that are not indexed yet, one of them with a byte that is not UTF-8, and one with an
/// escaped value.
const WORLD: &str = r#"
SELECT order_arrived(n, n) FROM generate_series(1, 4) n;
UPDATE hookfast_data.events SET body = decode('ff', 'hex') || body WHERE id = event_of(2);
UPDATE hookfast_data.events SET body = convert_to(E'{"id": "a\\/b\\u00e9\\"", "code": 2.50}', 'UTF8') WHERE id = event_of(3);
SELECT died(4, 'status 500: oh');
INSERT INTO hookfast_data.sources (name, kind, search_fields) VALUES ('own', 'sql', '{id}');
SELECT hookfast.enqueue('own', 'own.paid', '{"id": 1.50, "at": "2026-01-02", "n": 1e-7}', 'key');
"#;

const CALLS: [&str; 16] = [
    "SELECT count(*)::text FROM hookfast.find('request-1')",
    "SELECT count(*)::text FROM hookfast.find('request-2')",
    "SELECT count(*)::text FROM hookfast.find('a/bé\"')",
    "SELECT count(*)::text FROM hookfast.find('2.50')",
    "SELECT count(*)::text FROM hookfast.find('2x50')",
    "SELECT string_agg(kind || ' ' || coalesce(handler, ''), ', ') FROM hookfast.timeline('request-4')",
    "SELECT string_agg(e.handler || ' ' || e.verdict, ', ' ORDER BY e.handler) FROM public.event_of(4) o, hookfast.explain(o) e",
    "SELECT concat_ws(' ', matching, still_pending, held) FROM hookfast.erase_all(term => 'request-2')",
    "SELECT matching::text FROM hookfast.replay_all('shop', payload => '$.data.quantity >= 1 && $.request_id like_regex \"^request\"')",
    "SELECT matching::text FROM hookfast.retry_all('shop', error => 'status 500%')",
    "SELECT hookfast.event_id_at('2026-03-04 05:06:07.89+00')::text",
    "SELECT (hookfast.enqueue('own', 'own.paid', '{\"id\": 1.50, \"at\": \"2026-01-02\", \"n\": 1e-7}', 'key') = (SELECT f.event_id FROM hookfast.find('key') f))::text",
    "SELECT string_agg(class || ' ' || (keep = interval '90 days')::text, ', ' ORDER BY class) FROM hookfast.retention WHERE keep IS NOT NULL",
    "SELECT string_agg(area || ' ' || state, ', ' ORDER BY area, subject) FROM hookfast.status() WHERE area <> 'storage'",
    "SELECT string_agg(e.payload::text, ', ' ORDER BY e.event_id) FROM hookfast.events e WHERE e.source = 'own'",
    "SELECT string_agg(coalesce(e.payload_error, 'none'), ', ' ORDER BY e.event_id) FROM hookfast.events e",
];

async fn answers(connection: &mut PgConnection) -> Vec<Result<String, String>> {
    let mut answers = Vec::new();
    for call in CALLS {
        let mut transaction = connection.begin().await.expect("a transaction");
        let answer = sqlx::query_scalar::<_, String>(AssertSqlSafe(call))
            .fetch_one(&mut *transaction)
            .await;
        answers.push(answer.map_err(|error| format!("{call}: {error}")));
        transaction.rollback().await.expect("rolled back");
    }
    answers
}

#[tokio::test]
async fn every_function_returns_the_same_whatever_its_caller_has_set() {
    let story = Story::new().await;
    story.execute(WORLD).await;
    let usual = answers(&mut story.connect().await).await;
    assert!(usual.iter().all(Result::is_ok), "{usual:?}");
    assert_eq!(
        usual[..5],
        ["1", "1", "1", "1", "0"].map(|found| Ok(found.to_owned()))
    );
    for setting in SETTINGS {
        let mut caller = story.connect().await;
        sqlx::raw_sql(AssertSqlSafe(format!("SET {setting}")))
            .execute(&mut caller)
            .await
            .expect(setting);
        assert_eq!(answers(&mut caller).await, usual, "{setting}");
        for refused in ["own..paid", "ownXpaid", "own.Paid"] {
            let enqueue = format!("SELECT hookfast.enqueue('own', '{refused}', '1')");
            let error = sqlx::raw_sql(AssertSqlSafe(enqueue))
                .execute(&mut caller)
                .await
                .expect_err(refused);
            let code = error
                .into_database_error()
                .and_then(|error| error.code().map(|code| code.into_owned()));
            assert_eq!(code.as_deref(), Some("22023"), "{setting}: {refused}");
        }
    }
}

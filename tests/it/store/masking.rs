//! The value of a secret field is hidden wherever else it occurs.

use super::Store;
use hookfast::sources::{SourceKind, airalo::Airalo};

impl Store {
    async fn masked(&self, payload: &str) -> String {
        sqlx::query_scalar("SELECT hookfast_data.redact_payload($1::jsonb, '{lpa,code}')::text")
            .bind(payload)
            .fetch_one(&self.pool)
            .await
            .expect(payload)
    }
}

#[tokio::test]
async fn a_secret_inside_another_is_masked_and_so_is_the_other() {
    let store = Store::new().await;
    // Of several values: their order must not matter.
    for code in [
        "AAAAAAAA", "BBBBBBBB", "CCCCCCCC", "DDDDDDDD", "zzzzzzzz", "12345678", "yx-yx-yx",
        "QQQQQQQQ",
    ] {
        let payload = format!(
            r#"{{"lpa": "rsp$m-{code}", "code": "{code}", "say": "scan rsp$m-{code} or type {code}"}}"#
        );
        let shown = r#"{"lpa": "***", "say": "scan *** or type ***", "code": "***"}"#;
        assert_eq!(store.masked(&payload).await, shown, "{code}");
    }
}

#[tokio::test]
async fn a_secret_is_masked_as_a_number_and_as_any_url_has_it() {
    let store = Store::new().await;
    for copy in [
        r#""rsp$m/AB CD-1""#,
        r#""https://x/?a=rsp%24m%2FAB%20CD-1""#,
        r#""https://x/?a=rsp%24m%2fAB+CD-1""#,
        r#""https://x/?a=rsp$m/AB+CD-1""#,
        r#""https://x/?to=%2F%3Fa%3Drsp%2524m%252FAB%2520CD-1""#,
        "98765432109",
        "198765432109.5",
        r#""call 98765432109""#,
    ] {
        let payload = format!(
            r#"{{"lpa": "rsp$m/AB CD-1", "code": {{"n": 98765432109}}, "copy": {copy}, "n": 9876}}"#
        );
        let shown = store.masked(&payload).await;
        for secret in ["98765432109", "AB", "rsp"] {
            assert!(!shown.contains(secret), "{copy}: {shown}");
        }
        assert!(shown.contains(r#""n": 9876"#), "the rest is shown: {shown}");
    }
    let harmless = r#"{"say": "50% off + more, fine%20here %zz%00", "code": "1234567890"}"#;
    let shown = r#"{"say": "50% off + more, fine%20here %zz%00", "code": "***"}"#;
    assert_eq!(store.masked(harmless).await, shown);
}

#[tokio::test]
async fn a_key_is_masked_if_it_contains_a_secret_of_its_payload() {
    let store = Store::new().await;
    for (key, payload, shown) in [
        ("k:4711", Some(r#"{"code": 4711}"#), "***"),
        ("k:471:x", Some(r#"{"code": "471"}"#), "***"),
        ("k:14711", Some(r#"{"code": "471"}"#), "k:14711"),
        ("k:AB%2fCD", Some(r#"{"code": ["AB/CD"]}"#), "***"),
        ("k:4711", Some(r#"{"other": 4711}"#), "k:4711"),
        ("k", None, "***"),
    ] {
        let query = sqlx::query_scalar("SELECT hookfast_data.visible_key($1, $2::jsonb, '{code}')");
        let masked: String = query
            .bind(key)
            .bind(payload)
            .fetch_one(&store.pool)
            .await
            .expect("a key");
        assert_eq!(masked, shown, "{key} {payload:?}");
    }
}

/// A secret that one view masks must not be in the payload of another.
#[tokio::test]
async fn masked_columns_of_a_sim_are_masked_in_its_event() {
    let store = Store::new().await;
    let masked: Vec<String> = sqlx::query_scalar(
        r"SELECT (regexp_matches(pg_get_viewdef('hookfast.airalo_sims'), $$'\*{3}'::text\s+ELSE [^ ]+\s+END AS (\w+)$$, 'g'))[1]",
    )
    .fetch_all(&store.pool)
    .await
    .expect("columns");
    assert!(masked.len() >= 7, "{masked:?}");
    let secret = Airalo.fields();
    for column in masked {
        assert!(
            secret.secret().contains(&column),
            "{column} is shown in hookfast.events"
        );
    }
}

#[tokio::test]
async fn a_secret_is_found_however_it_is_written() {
    let store = Store::new().await;
    for (payload, shown) in [
        (
            r#"{"sims": [{"CODE": "a secret\"quoted"}], "say": "it is a secret\"quoted!"}"#,
            r#"{"say": "it is ***!", "sims": [{"CODE": "***"}]}"#,
        ),
        (
            r#"{"code": ["secret-1", "secret-2"], "say": ["secret-2"]}"#,
            r#"{"say": ["***"], "code": "***"}"#,
        ),
        (
            r#"{"code": null, "say": "nothing to hide"}"#,
            r#"{"say": "nothing to hide", "code": null}"#,
        ),
    ] {
        assert_eq!(store.masked(payload).await, shown);
    }
}

/// Deeper payloads take seconds to read, for each row that a reader requests.
#[tokio::test]
async fn a_payload_that_is_deeper_than_64_levels_is_not_shown() {
    let store = Store::new().await;
    let deep = |levels: usize| {
        format!(
            r#"{}{{"code": "12345678"}}{}"#,
            r#"{"a": "#.repeat(levels),
            "}".repeat(levels)
        )
    };
    assert_eq!(
        store.masked(&deep(62)).await,
        deep(62).replace("12345678", "***")
    );
    assert_eq!(store.masked(&deep(63)).await, r#""***""#);
    let key = async |levels: usize| {
        let query =
            sqlx::query_scalar("SELECT hookfast_data.visible_key('k', $1::jsonb, '{code}')")
                .bind(deep(levels));
        query.fetch_one(&store.pool).await.expect("a key")
    };
    assert_eq!([key(62).await, key(63).await] as [String; 2], ["k", "***"]);
}

//! What stands in a secret member is hidden wherever else it stands.

use super::Store;

impl Store {
    async fn masked(&self, payload: &str) -> String {
        sqlx::query_scalar("SELECT hookfast_data.masked($1::jsonb, '{lpa,code}')::text")
            .bind(payload)
            .fetch_one(&self.pool)
            .await
            .expect(payload)
    }
}

#[tokio::test]
async fn a_secret_that_stands_in_another_is_masked_and_so_is_the_other() {
    let store = Store::new().await;
    // Of several: which one comes first by chance must not matter.
    for code in ["AAAAAAAA", "BBBBBBBB", "CCCCCCCC", "DDDDDDDD", "zzzzzzzz", "12345678", "yx-yx-yx", "QQQQQQQQ"] {
        let payload =
            format!(r#"{{"lpa": "rsp$m-{code}", "code": "{code}", "say": "scan rsp$m-{code} or type {code}"}}"#);
        let shown = r#"{"lpa": "***", "say": "scan *** or type ***", "code": "***"}"#;
        assert_eq!(store.masked(&payload).await, shown, "{code}");
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
        (r#"{"code": ["secret-1", "secret-2"], "say": ["secret-2"]}"#, r#"{"say": ["***"], "code": "***"}"#),
        (r#"{"code": null, "say": "nothing to hide"}"#, r#"{"say": "nothing to hide", "code": null}"#),
    ] {
        assert_eq!(store.masked(payload).await, shown);
    }
}

//! The effect of a payload filter on a body, tested with the function that claims use.

use super::Store;
use hookfast::internals::store::{ClaimLimits, LongBody, NewEvent, Role, Watermarks, event_body};
use std::time::Instant;

#[tokio::test]
async fn a_body_matches_or_does_not_and_never_fails() {
    let store = Store::new().await;
    let deep = |levels: usize| {
        [
            b"{\"a\":".repeat(levels),
            b"1".to_vec(),
            b"}".repeat(levels),
        ]
        .concat()
    };
    let (shallow, deeper, deepest) = (deep(3), deep(5_000), deep(400_000));
    for (body, filter, expected) in [
        (&b"{\"a\": 1}"[..], "$.a == 1", true),
        (b"{\"a\": 2}", "$.a == 1", false),
        (b"{}", "$.a == 1", false),
        (b"{\"a\": \"1\"}", "$.a == 1", false),
        (b"[{\"a\": 1}, {\"a\": 2}]", "$.a == 2", true),
        (b"7", "$ > 6", true),
        (b"null", "$ == null", true),
        // Unknown is not true: strict paths, and values that cannot be compared.
        (b"{}", "strict $.a == 1", false),
        (b"{\"a\": {}}", "$.a > 1", false),
        (b"{\"a\": \"x\"}", "$.a.double() > 1", false),
        (b"{\"a\": 0}", "1 / $.a > 0", false),
        // JSON that jsonb cannot hold.
        (b"", "$ != 1", false),
        (b"{\"a\": 1", "$.a == 1", false),
        (b"\xff", "$ != 1", false),
        (b"{\"a\": 1, \"b\": \"\xc3\"}", "$.a == 1", false),
        (b"{\"a\": 1}\0", "$.a == 1", false),
        (b"{\"a\": 1, \"b\": 1e1000000}", "$.a == 1", false),
        // Valid JSON with an escape that jsonb rejects.
        (br#"{"a": 1, "b": "\u0000"}"#, "$.a == 1", true),
        (br#"{"a": 1, "b": "\ud800"}"#, "$.a == 1", true),
        (br#"{"a": 1, "b": "\ud800"}"#, "$.a == 2", false),
        (br#"{"a": 1, "b": "\ud800""#, "$.a == 1", false),
        (&shallow, "exists($.**.a ? (@ == 1))", true),
        (&deepest, "exists($.a)", false),
    ] {
        let matches: bool =
            sqlx::query_scalar("SELECT hookfast_data.payload_matches($1, $2::text::jsonpath)")
                .bind(body)
                .bind(filter)
                .fetch_one(&store.pool)
                .await
                .expect("it never fails");
        assert_eq!(
            matches,
            expected,
            "{} {filter}",
            String::from_utf8_lossy(&body[..body.len().min(80)])
        );
    }
    // Whether such a deep path can be evaluated depends on the server; it must not be an error.
    let walked =
        sqlx::query_scalar::<_, bool>("SELECT hookfast_data.payload_matches($1, 'exists($.**.b)')")
            .bind(&deeper);
    assert!(!walked.fetch_one(&store.pool).await.expect("it never fails"));
}

/// Deliveries without a key are not ordered relative to others, so an unreadable key would mix up
/// the deliveries of an order.
#[tokio::test]
async fn a_body_that_jsonb_refuses_for_an_escape_keeps_its_ordering_key() {
    let store = Store::new().await;
    let padding = "x".repeat(65_536);
    for (body, expected) in [
        (
            r#"{"order": "17", "gift": "half of an emoji \ud83d"}"#.to_owned(),
            Some("17"),
        ),
        (
            r#"{"order": "17", "gift": "\u0000"}"#.to_owned(),
            Some("17"),
        ),
        (r#"{"order": "\ud83d"}"#.to_owned(), Some("\u{fffd}")),
        (r#"{"order": "17", "gift": "\ud83d"#.to_owned(), None),
        // Reading a large body takes too long for the thousand that get their keys at once.
        (
            format!(r#"{{"order": "17", "gift": "\ud83d{padding}"}}"#),
            None,
        ),
    ] {
        let key: Option<String> =
            sqlx::query_scalar("SELECT hookfast_data.ordering_key($1, '{order}')")
                .bind(body.as_bytes())
                .fetch_one(&store.pool)
                .await
                .expect("it never fails");
        assert_eq!(key.as_deref(), expected, "{}", &body[..body.len().min(60)]);
    }
}

#[tokio::test]
async fn a_claim_returns_for_each_short_delivery_whether_it_matches() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    let mut events = ["yes", "no", "long", "odd"].map(|key| store.event(key, None));
    for (event, body) in events
        .iter_mut()
        .zip(["{\"a\": 1}", "{\"a\": 2}", "", "no JSON"])
    {
        event.body = body.into();
    }
    events[2].body = format!("{{\"a\": 2, \"b\": \"{}\"}}", "x".repeat(20_000)).into();
    let long = events[2].id;
    assert!(
        ingest
            .ingest(&events, hookfast::internals::domain::Origin::Webhook)
            .await
            .iter()
            .all(Result::is_ok)
    );
    store.fill("gone", 1).await;
    store
        .execute("DELETE FROM hookfast_data.events WHERE idempotency_key LIKE 'gone%'")
        .await;
    let lease = store.lease().await;
    let filter = "$.a == 1".parse().expect("a filter");
    for (filter, expected) in [
        (Some(&filter), [true, false, true, false, true]),
        (None, [true; 5]),
    ] {
        let mut connection = store.connection(Role::Claim).await;
        let limits = ClaimLimits { fresh: 10, due: 10 };
        let mut watermarks = Watermarks::new(Instant::now());
        let batch = connection
            .claim(
                (store.handler, &store.name),
                lease,
                limits,
                &mut watermarks,
                filter,
            )
            .await;
        let mut claimed = batch.expect("a claim").claimed;
        claimed.sort_by_key(|claimed| claimed.claim.delivery);
        assert_eq!(
            claimed
                .iter()
                .map(|claimed| claimed.passes)
                .collect::<Vec<_>>(),
            expected
        );
        let starts: Vec<_> = claimed.iter().map(|claimed| claimed.starts()).collect();
        assert!(!starts[4], "a missing event is detected, and not started");
        store
            .execute("UPDATE hookfast_data.outbox SET lease_id = NULL")
            .await;
    }
    // A long body is filtered when it is fetched.
    let fetched = async |filter: &str| {
        let filter = filter.parse().expect("a filter");
        event_body(&store.pool, long, Some(&filter))
            .await
            .expect("an answer")
    };
    assert_eq!(fetched("$.a == 1").await, LongBody::Filtered);
    assert!(matches!(fetched("$.a == 2").await, LongBody::Passes(body) if body.len() > 20_000));
}

/// Other handlers claim on the same connection: they wait for a slow filter once, and not at each
/// claim.
#[tokio::test]
async fn a_filter_that_is_too_slow_for_a_claim_is_evaluated_by_the_attempts() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    let (lease, filter) = (store.lease().await, "$.a == 1".parse().expect("a filter"));
    let mut connection = store.connection(Role::Claim).await;
    let replaced = "CREATE OR REPLACE FUNCTION hookfast_data.payload_matches(body bytea, filter jsonpath) RETURNS boolean \
        LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ BEGIN ";
    for body in [
        "PERFORM pg_sleep(20); RETURN true; END $$",
        "RAISE 'it is evaluated'; END $$",
    ] {
        let replace = sqlx::AssertSqlSafe(format!("{replaced}{body}"));
        sqlx::raw_sql(replace)
            .execute(&store.pool)
            .await
            .expect("replaced");
        let (limits, mut watermarks) = (
            ClaimLimits { fresh: 10, due: 10 },
            Watermarks::new(Instant::now()),
        );
        let name = (store.handler, &store.name);
        let claimed = connection
            .claim(name, lease, limits, &mut watermarks, Some(&filter))
            .await
            .expect("a claim")
            .claimed;
        assert_eq!(
            claimed
                .iter()
                .map(|claimed| claimed.long_body.is_some())
                .collect::<Vec<_>>(),
            [true; 2]
        );
        store
            .execute("UPDATE hookfast_data.outbox SET lease_id = NULL")
            .await;
    }
}

/// The call of a client, whose own statement timeout may be short.
#[tokio::test]
async fn large_bodies_that_do_not_match_are_settled_in_parts() {
    let store = Store::new().await;
    let events: Vec<_> = (1..=6)
        .map(|n| {
            let body = format!(r#"{{"n": {n}, "x": "{}"}}"#, "x".repeat(1 << 20)).into();
            NewEvent {
                body,
                ..store.event(&format!("large-{n}"), None)
            }
        })
        .collect();
    let mut ingest = store.connection(Role::Ingest).await;
    assert!(
        ingest
            .ingest(&events, hookfast::internals::domain::Origin::Webhook)
            .await
            .iter()
            .all(Result::is_ok)
    );
    let ended = "SELECT array_to_string(hookfast_data.settle_filtered(h.id, '$.n == 2 || $.n == 6', \
        ARRAY(SELECT o.id FROM hookfast_data.outbox o ORDER BY o.id)), ' ') || ' of ' || \
        (SELECT string_agg(o.id::text, ' ' ORDER BY o.id) FROM hookfast_data.outbox o) FROM hookfast_data.handlers h";
    assert_eq!(store.text(ended).await, "2 of 1 2 3 4 5 6");
    assert_eq!(store.text(ended).await, "2 6 of 2 5 6");
    assert_eq!(store.text(ended).await, "2 6 of 2 6");
}

//! The receiver rules of Airalo's contract that need the whole path: from the network into the
//! tables.

use super::{Running, source};
use crate::support::{
    airalo::{order, request},
    postgres::database,
    raw_http::Client,
    wait_until,
};
use hookfast::internals::domain::OnInvalidSignature::{Quarantine, Reject};
use std::time::Duration;

async fn send(running: &Running, bytes: impl AsRef<[u8]>) -> crate::support::raw_http::Answer {
    let mut client = Client::connect(running.ingress).await;
    client.send(bytes).await;
    client.answer().await
}

/// Rows 1 and 14.
#[tokio::test(flavor = "multi_thread")]
async fn head_is_200_and_other_methods_paths_and_sizes_are_rejected() {
    let database = database().await;
    let running = Running::start(&database, |builder| builder.source(source(Reject))).await;
    for path in ["/webhooks/airalo", "/webhooks/airalo/async_orders"] {
        let mut client = Client::connect(running.ingress).await;
        client
            .send(format!("HEAD {path} HTTP/1.1\r\nhost: h\r\n\r\n"))
            .await;
        assert_eq!(client.answer_to_head().await.status, 200);
        send(&running, format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n"))
            .await
            .problem(405, "wrong-method");
    }
    assert_eq!(
        send(
            &running,
            "POST /webhooks/nobody HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"
        )
        .await
        .status,
        404
    );
    let large = "POST /webhooks/airalo HTTP/1.1\r\nhost: h\r\ncontent-length: 1048577\r\n\r\n";
    assert_eq!(send(&running, large).await.status, 413);
    running.end().await;
}

/// Requests that are rejected before verification are counted in SQL, for the source if it is
/// known.
#[tokio::test(flavor = "multi_thread")]
async fn requests_rejected_unread_are_counted_in_the_rollups_by_reason() {
    let database = database().await;
    let limits = hookfast::internals::domain::IngressLimits {
        body_time: Duration::from_millis(200),
        ..Default::default()
    };
    let running = Running::start(&database, |builder| {
        builder.source(source(Reject)).limits(limits)
    })
    .await;
    let post = |path: &str, rest: &str| format!("POST {path} HTTP/1.1\r\nhost: h\r\n{rest}");
    let many = format!("{}\r\n", "x: y\r\n".repeat(101));
    let long = format!("x: {}\r\n\r\n", "y".repeat(40_000));
    for (path, rest, status, reason) in [
        (
            "/webhooks/airalo",
            "content-length: 1048577\r\n\r\n",
            413,
            "too_large",
        ),
        (
            "/webhooks/airalo",
            "content-length: 100\r\n\r\nx",
            408,
            "too_slow",
        ),
        ("/webhooks/airalo", &many, 431, "too_many_headers"),
        ("/webhooks/airalo", &long, 431, "headers_too_large"),
        ("/webhooks/airalo", "no colon\r\n\r\n", 400, "malformed"),
        (
            "/webhooks/airalo/a/b",
            "content-length: 0\r\n\r\n",
            404,
            "bad_topic",
        ),
        (
            "/webhooks/nobody",
            "content-length: 0\r\n\r\n",
            404,
            "unknown_source",
        ),
        ("/webhooks/nobody", "no colon\r\n\r\n", 400, "malformed"),
    ] {
        assert_eq!(
            send(&running, post(path, rest)).await.status,
            status,
            "{reason}"
        );
    }
    let counted = "SELECT coalesce(sum(value), 0)::bigint FROM hookfast_data.rollups WHERE subject IN ('source:airalo', 'source:-') \
        AND counter IN ('too_large', 'too_slow', 'too_many_headers', 'headers_too_large', 'malformed', 'bad_topic', 'unknown_source')";
    running.until(counted, 8).await;
    let by_source = "SELECT string_agg(subject || ' ' || counter, ', ' ORDER BY subject COLLATE \"C\", counter COLLATE \"C\") FROM hookfast_data.rollups \
        WHERE subject LIKE 'source:%' AND counter NOT IN ('stored', 'duplicate', 'unavailable')";
    assert_eq!(
        running.text(by_source).await,
        "source:- malformed, source:- unknown_source, source:airalo bad_topic, source:airalo headers_too_large, \
         source:airalo malformed, source:airalo too_large, source:airalo too_many_headers, source:airalo too_slow"
    );
    running.end().await;
}

/// Row 7.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_at_once_are_one_event() {
    let database = database().await;
    let running = Running::start(&database, |builder| builder.source(source(Reject))).await;
    let body = order("the-same-bytes-0123456789", 5);
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (ingress, body) = (running.ingress, body.clone());
        posts.spawn(async move { crate::support::airalo::post(ingress, &body).await });
    }
    let answers = posts.join_all().await;
    assert!(
        answers.iter().all(
            |(status, answer)| *status == 200 && answer["event_id"] == answers[0].1["event_id"]
        )
    );
    assert_eq!(
        answers
            .iter()
            .filter(|(_, answer)| answer["status"] == "stored")
            .count(),
        1
    );
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast.events WHERE idempotency_key LIKE 'order:%'")
            .await,
        1
    );
    running.end().await;
}

/// Row 8.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_run_again_is_a_conflict_and_no_iccid_is_lost() {
    let database = database().await;
    let running = Running::start(&database, |builder| builder.source(source(Reject))).await;
    let mut verdicts = Vec::new();
    for order_id in [115_739, 115_740, 115_740, 115_741] {
        verdicts.push(
            running
                .post(&order("redelivered-0123456789012", order_id))
                .await
                .1["status"]
                .clone(),
        );
    }
    assert_eq!(verdicts, ["stored", "conflict", "duplicate", "conflict"]);
    let iccids = "SELECT string_agg(payload #>> '{data,sims,0,iccid}', ' ' ORDER BY event_id) FROM hookfast.events WHERE type LIKE 'airalo.order%'";
    assert_eq!(
        running.text(iccids).await,
        "8900000000000115739 8900000000000115740 8900000000000115741"
    );
    let firsts = "SELECT count(*) FROM hookfast.events e JOIN hookfast.events f ON f.event_id = e.conflicts_with AND f.type = 'airalo.order.completed' WHERE e.type = 'airalo.order.completed.conflict'";
    assert_eq!(running.count(firsts).await, 2);
    running.end().await;
}

/// Row 9.
#[tokio::test(flavor = "multi_thread")]
async fn low_data_is_a_new_event_after_its_window() {
    let database = database().await;
    let running = Running::start(&database, |builder| builder.source(source(Reject))).await;
    let body = br#"{"level":"75%","package_name":"bonbon-7gb-10days","remaining_percentage":24.02,"iccid":"87123"}"#;
    let first = running.post(body).await.1;
    assert_eq!(running.post(body).await.1["status"], "duplicate");
    let left = "SELECT extract(epoch FROM expires_at - clock_timestamp())::bigint FROM hookfast_data.idempotency_keys WHERE key = 'low_data:87123:bonbon-7gb-10days:75'";
    let left = running.count(left).await;
    assert!((6 * 3600 - 60..=6 * 3600).contains(&left), "{left} s");
    sqlx::query("UPDATE hookfast_data.idempotency_keys SET expires_at = clock_timestamp() - interval '1 second'")
        .execute(&running.pool)
        .await
        .expect("the window has passed");
    let second = running.post(body).await.1;
    assert_eq!(second["status"], "stored");
    assert_ne!(first["event_id"], second["event_id"]);
    running.end().await;
}

/// Row 4, if wrong signatures are rejected.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_request_is_401_evidence_and_uses_no_key() {
    let database = database().await;
    let running = Running::start(&database, |builder| builder.source(source(Reject))).await;
    let body = order("forged-01234567890123456", 9);
    let mut forged = request(&body);
    let at = forged
        .windows(18)
        .position(|w| w == b"airalo-signature: ")
        .expect("it is signed")
        + 18;
    forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
    for _ in 0..3 {
        let problem = send(&running, &forged).await.problem(401, "not-verified");
        assert!(
            !problem.to_string().contains("wrong"),
            "the reason is not revealed: {problem}"
        );
    }
    running
        .until("SELECT coalesce(sum(count), 0)::bigint FROM hookfast.quarantine WHERE reason = 'wrong_signature'", 3)
        .await;
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast.quarantine")
            .await,
        1,
        "identical requests are one row"
    );
    assert_eq!(
        running.post(&body).await.1["status"],
        "stored",
        "the genuine request is not suppressed"
    );
    running.end().await;
}

/// Row 4, if the operator quarantines them.
#[tokio::test(flavor = "multi_thread")]
async fn with_quarantine_a_wrong_signature_gets_200_once_kept_and_503_past_the_bound() {
    let database = database().await;
    let limits = hookfast::internals::domain::QuarantineLimits {
        rows: 2,
        ..Default::default()
    };
    let running = Running::start(&database, |builder| {
        builder.source(source(Quarantine)).quarantine(limits)
    })
    .await;
    let forged = |n: u64| {
        let signed = request(&order("x", n));
        let at = signed
            .windows(18)
            .position(|w| w == b"airalo-signature: ")
            .expect("it is signed")
            + 18;
        [&signed[..at], &b"0".repeat(128), &signed[at + 128..]].concat()
    };
    for n in [1, 2, 2] {
        let answer = send(&running, forged(n)).await;
        assert_eq!(
            (answer.status, answer.json()),
            (
                200,
                serde_json::json!({"status": "quarantined", "event_id": null})
            )
        );
    }
    assert_eq!(
        send(&running, forged(3)).await.status,
        503,
        "nothing is evicted for it"
    );
    assert_eq!(
        running.text("SELECT string_agg(count::text, ',' ORDER BY quarantine_id) FROM hookfast.quarantine").await,
        "1,2"
    );
    let short = String::from_utf8(forged(4))
        .expect("ascii")
        .replace(&"0".repeat(128), "00");
    assert_eq!(
        send(&running, short).await.status,
        401,
        "a malformed request is rejected all the same"
    );
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast.events WHERE type LIKE 'airalo.order%'")
            .await,
        0
    );
    running.end().await;
}

/// Whatever outsiders send without a secret, requests that were answered 200 stay, and so do
/// requests that may be genuine.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_displaces_no_evidence_of_genuine_requests() {
    for policy in [Quarantine, Reject] {
        let database = database().await;
        let limits = hookfast::internals::domain::QuarantineLimits {
            rows: 100,
            bytes: 1 << 20,
            per_second: 10_000,
        };
        let running = Running::start(&database, |builder| {
            builder.source(source(policy)).quarantine(limits)
        })
        .await;
        let kept = "SELECT count(*) FROM hookfast.quarantine WHERE reason = 'wrong_signature'";
        for n in 0..10 {
            // Signed with a secret that is not configured here yet.
            let genuine = crate::support::airalo::request_signed_with(
                "the secret of another account",
                &order("genuine", n),
            );
            assert_eq!(
                send(&running, genuine).await.status,
                if policy == Quarantine { 200 } else { 401 }
            );
        }
        running.until(kept, 10).await;
        let unsigned = |body: &[u8]| {
            let head = format!(
                "POST /webhooks/airalo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        };
        for n in 0..60u8 {
            assert_eq!(send(&running, unsigned(&[b'0' + n; 50])).await.status, 401);
        }
        for n in 0..16u8 {
            assert_eq!(
                send(&running, unsigned(&vec![b'a' + n; 1_000_000]))
                    .await
                    .status,
                401
            );
        }
        // Evidence of a 401 is best effort: on a busy machine the last request may find no room in
        // the queue, so it is sent until it is kept.
        let excerpt = "SELECT count(*) FROM hookfast.quarantine WHERE is_excerpt AND bytes = 1000000 AND octet_length(body) = 4096 AND whole_sha256 = encode(sha256(repeat('p', 1000000)::bytea), 'hex')";
        wait_until("an excerpt", async || {
            assert_eq!(
                send(&running, unsigned(&vec![b'p'; 1_000_000]))
                    .await
                    .status,
                401
            );
            running.count(excerpt).await == 1
        })
        .await;
        assert_eq!(running.count(kept).await, 10);
        assert_eq!(
            running
                .count("SELECT count(*) FROM hookfast.quarantine WHERE responded_ok")
                .await,
            if policy == Quarantine { 10 } else { 0 }
        );
        assert_eq!(
            running
                .count(
                    "SELECT count(*) FROM hookfast.quarantine WHERE reason = 'missing_signature'"
                )
                .await,
            20
        );
        running.end().await;
    }
}

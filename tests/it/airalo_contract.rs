//! The known rules of Airalo's partner webhooks, row by row. The numbers are those of the receiver
//! rules this source was built from. This file covers the rules about a request alone. Rules that
//! need a server and a database (1 HEAD, 7 to 9 storage, 13 storage down, 14 body limit) are tested
//! with those.

mod bodies;
mod disagreements;
mod properties;

use bodies::{
    REDELIVERY, SECRET, SIX_HOURS, describe, fixture, headers, raw_fixtures, respelled, secret,
    signed, value, vectors, verify,
};
use hookfast::internals::domain::Identity;
use hookfast::internals::signing::Secret;
use hookfast::sources::airalo::{Airalo, sample, sample_names, sign};
use hookfast::sources::{Description, Rejection, SourceKind, VerifiedRequest};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

#[test]
fn every_published_vector_verifies_and_is_made_alike() {
    assert_eq!(
        vectors().len(),
        raw_fixtures().len(),
        "a vector for each fixture"
    );
    for vector in vectors() {
        let body = fixture(&vector.file);
        assert_eq!(
            body.len(),
            vector.bytes,
            "{}: differs from the signed bytes",
            vector.file
        );
        assert_eq!(
            sign(&secret(), &body),
            ("airalo-signature", vector.expected.clone()),
            "{}",
            vector.file
        );
        assert!(
            verify(&headers(&[&vector.expected]), &body).is_ok(),
            "{}",
            vector.file
        );
    }
}

#[test]
fn row_2_each_fixture_is_verified_and_classified() {
    let table = [
        (
            "webhook/async_order_success.observed-2024.raw.json",
            "airalo.order.completed",
            "order:e_TESTrequest-id_00000001:completed",
            None,
            Some("order:700001:8900000000000000010"),
        ),
        (
            "webhook/async_order_success.documented.raw.json",
            "airalo.order.completed",
            "order:TESTrequest-id_0000000002:completed",
            None,
            Some("order:700003:8900000000000000030"),
        ),
        (
            "webhook/async_order_success.multi-sim-unicode.raw.json",
            "airalo.order.completed",
            "order:TESTrequest-id_0000000004:completed",
            None,
            Some("order:700004:8900000000000000040:8900000000000000041:8900000000000000042"),
        ),
        (
            "webhook/async_order_failure.candidate-data.raw.json",
            "airalo.order.failed",
            "order:TESTrequest-id_0000000011:failed",
            None,
            None,
        ),
        (
            "webhook/async_order_failure.candidate-root.raw.json",
            "airalo.order.failed",
            "order:TESTrequest-id_0000000012:failed",
            None,
            None,
        ),
        (
            "webhook/async_order_failure.candidate-root-noreasoncode.raw.json",
            "airalo.order.failed",
            "order:TESTrequest-id_0000000013:failed",
            None,
            None,
        ),
        (
            "webhook/low_data.75.raw.json",
            "airalo.low_data.75",
            "low_data:87123123456889019:bonbon-7gb-10days:75",
            Some(SIX_HOURS),
            None,
        ),
        (
            "webhook/low_data.90.raw.json",
            "airalo.low_data.90",
            "low_data:87123123456889019:bonbon-7gb-10days:90",
            Some(SIX_HOURS),
            None,
        ),
        (
            "webhook/low_data.3days.raw.json",
            "airalo.low_data.3days",
            "low_data:87123123456889019:bonbon-7gb-10days:3days",
            Some(SIX_HOURS),
            None,
        ),
        (
            "webhook/low_data.1days.raw.json",
            "airalo.low_data.1days",
            "low_data:87123123456889019:bonbon-7gb-10days:1days",
            Some(SIX_HOURS),
            None,
        ),
        (
            "webhook/credit_limit.50.raw.json",
            "airalo.credit_limit.50",
            "credit_limit:50:550.25",
            Some(SIX_HOURS),
            None,
        ),
        (
            "webhook/credit_limit.80.raw.json",
            "airalo.credit_limit.80",
            "credit_limit:80:225.35",
            Some(SIX_HOURS),
            None,
        ),
    ];
    assert_eq!(table.len(), raw_fixtures().len(), "a line for each fixture");
    for (file, event_type, key, window, fingerprint) in table {
        let request = verify(&signed(&fixture(file)), &fixture(file)).expect(file);
        assert_eq!(request.event_type.as_str(), event_type, "{file}");
        assert_identity(&request.identity, key, window, fingerprint);
        assert_eq!(
            &request.body[..],
            fixture(file),
            "{file}: stored as received"
        );
    }
}

fn assert_identity(
    identity: &Identity,
    key: &str,
    window: Option<Duration>,
    fingerprint: Option<&str>,
) {
    assert_eq!(identity.key.as_str(), key);
    assert_eq!(identity.window, window, "{key}");
    assert_eq!(
        identity.fingerprint.as_ref().map(|f| f.as_str()),
        fingerprint,
        "{key}"
    );
}

#[test]
fn row_3_hex_of_either_case_and_blanks_around_it_are_accepted() {
    for vector in vectors() {
        let (body, hex) = (fixture(&vector.file), &vector.expected);
        let mixed: String = hex
            .char_indices()
            .map(|(i, c)| {
                if i % 2 == 0 {
                    c.to_ascii_uppercase()
                } else {
                    c
                }
            })
            .collect();
        for value in [hex.to_uppercase(), mixed, format!(" \t{hex} ")] {
            assert!(verify(&headers(&[&value]), &body).is_ok(), "{value:?}");
        }
    }
}

#[test]
fn row_4_a_missing_malformed_or_wrong_signature_has_its_own_reason() {
    use Rejection::{
        MalformedSignature as Malformed, MissingSignature as Missing, WrongSignature as Wrong,
    };
    let body = fixture("webhook/low_data.75.raw.json");
    let right = sign(&secret(), &body).1;
    let other = Secret::new("other", b"another-client-secret".to_vec()).expect("long enough");

    let table: [(&[&str], Rejection); 14] = [
        (&[], Missing),
        (&[""], Malformed),
        (&["  "], Malformed),
        (&["null"], Malformed),
        (&[&right[..126]], Malformed),
        (&[&right[..127]], Malformed),
        (&[&format!("{right}00")], Malformed),
        (&[&format!("sha512={right}")], Malformed),
        (&[&"g".repeat(128)], Malformed),
        (&[&format!("{} {}", &right[..64], &right[64..])], Malformed),
        (&[&right, &right], Malformed),
        (&["", &right], Malformed),
        (&[&"0".repeat(128)], Wrong),
        (&[&sign(&other, &body).1], Wrong),
    ];
    for (values, expected) in table {
        assert_eq!(
            verify(&headers(values), &body).map(|_| ()),
            Err(expected),
            "{values:?}"
        );
    }
    let wide = "é".repeat(64);
    let not_text: [&[u8]; 2] = [&[0xff; 128], wide.as_bytes()];
    for value in not_text {
        assert_eq!(
            verify(&bodies::raw_header(value), &body).map(|_| ()),
            Err(Malformed)
        );
    }
    let no_secret = Airalo.verify(&signed(&body), &body, &[], SystemTime::UNIX_EPOCH);
    assert_eq!(
        no_secret.map(|_| ()),
        Err(Wrong),
        "without a live secret nothing is verified"
    );
}

/// Counts how often a body was parsed.
struct TimedStream(AtomicUsize);

impl SourceKind for TimedStream {
    fn name(&self) -> &'static str {
        Airalo.name()
    }

    fn verify<'s>(
        &self,
        headers: &axum::http::HeaderMap,
        body: &[u8],
        secrets: &'s [Secret],
        now: SystemTime,
    ) -> Result<&'s Secret, Rejection> {
        Airalo.verify(headers, body, secrets, now)
    }

    fn signature_headers(&self) -> Vec<axum::http::HeaderName> {
        Airalo.signature_headers()
    }

    fn describe(
        &self,
        topic: Option<&str>,
        headers: &axum::http::HeaderMap,
        body: &[u8],
    ) -> Description {
        self.0.fetch_add(1, Ordering::Relaxed);
        Airalo.describe(topic, headers, body)
    }
}

#[test]
fn row_4_no_request_is_described_before_it_is_verified() {
    let (kind, secrets, now) = (
        TimedStream(AtomicUsize::new(0)),
        [secret()],
        SystemTime::UNIX_EPOCH,
    );
    let body = fixture("webhook/low_data.75.raw.json").into();
    for values in [&[][..], &["zz"][..], &["00".repeat(64).as_str()][..]] {
        assert!(
            VerifiedRequest::verify(&kind, &secrets, now, None, &headers(values), &body).is_err()
        );
    }
    assert_eq!(kind.0.load(Ordering::Relaxed), 0);
    assert!(VerifiedRequest::verify(&kind, &secrets, now, None, &signed(&body), &body).is_ok());
    assert_eq!(kind.0.load(Ordering::Relaxed), 1);
}

#[test]
fn row_5_no_byte_of_a_signed_body_can_change() {
    for file in [
        "webhook/credit_limit.80.raw.json",
        "webhook/async_order_failure.candidate-root.raw.json",
    ] {
        let body = fixture(file);
        let headers = signed(&body);
        for at in 0..body.len() {
            let mut altered = body.clone();
            altered[at] ^= 1 << (at % 8);
            assert_eq!(
                verify(&headers, &altered).map(|_| ()),
                Err(Rejection::WrongSignature),
                "{file}, byte {at}"
            );
        }
    }
}

#[test]
fn rows_5_and_6_another_spelling_needs_its_own_signature_and_is_the_same_event() {
    for file in raw_fixtures() {
        let body = fixture(&file);
        let text = String::from_utf8(body.clone()).expect("JSON");
        let spellings = [
            serde_json::to_vec_pretty(&value(&body)).expect("JSON"),
            text.replace("\\/", "/").into_bytes(),
            respelled(&text, &mut || true).into_bytes(),
            format!("\r\n\t {text}\n").into_bytes(),
        ];
        for spelling in spellings.iter().filter(|spelling| **spelling != body) {
            let shown = String::from_utf8_lossy(spelling);
            assert_eq!(
                verify(&signed(&body), spelling).map(|_| ()),
                Err(Rejection::WrongSignature),
                "{shown}"
            );
            let request = verify(&signed(spelling), spelling).expect("signed over its own bytes");
            assert_eq!(request.event_type, describe(&body).event_type, "{shown}");
            assert_eq!(request.identity, describe(&body).identity, "{shown}");
        }
    }
}

#[test]
fn row_7_the_same_bytes_are_the_same_event_with_the_same_content() {
    for file in raw_fixtures() {
        let (first, again) = (describe(&fixture(&file)), describe(&fixture(&file)));
        assert_eq!(first, again, "{file}");
    }
}

#[test]
fn row_8_an_order_that_was_run_again_is_the_same_key_with_other_content() {
    let first = sample("order.completed").expect("a sample");
    let mut seen = vec![describe(first).identity];
    for (id, iccid) in REDELIVERY {
        let mut body = value(first);
        body["data"]["id"] = json!(id);
        body["data"]["code"] = json!(format!("20241002-{id}"));
        body["data"]["created_at"] = json!("2024-10-02 00:35:34");
        body["data"]["sims"][0]["iccid"] = json!(iccid);
        let again = describe(body.to_string().as_bytes()).identity;
        assert_eq!(again.key, seen[0].key);
        assert!(
            seen.iter()
                .all(|earlier| earlier.fingerprint != again.fingerprint),
            "{again:?}"
        );
        let fingerprint = again.fingerprint.as_ref().map(|f| f.as_str().to_owned());
        assert_eq!(
            fingerprint,
            Some(format!("order:{id}:{iccid}")),
            "the ICCIDs stay readable"
        );
        seen.push(again);
    }
}

#[test]
fn row_9_notification_keys_expire_after_six_hours_and_order_keys_never() {
    for file in raw_fixtures() {
        let expected = if file.contains("order") {
            None
        } else {
            Some(SIX_HOURS)
        };
        assert_eq!(
            describe(&fixture(&file)).identity.window,
            expected,
            "{file}"
        );
    }
}

#[test]
fn row_10_unknown_fields_shifted_numeric_keys_and_a_quantity_in_text_change_nothing() {
    for file in raw_fixtures() {
        let body = fixture(&file);
        let mut more = value(&body);
        let deep =
            json!({"reason_code": 1, "new": [{"iccid": "1", "level": "75%", "request_id": "x"}]});
        more["added_later"] = deep.clone();
        more["7"] = json!({"data": {"text": null, "sims": [1]}});
        if more["data"].is_object() {
            let data = more["data"].as_object_mut().expect("an object");
            data.insert("added_later".to_owned(), deep);
            data.insert("quantity".to_owned(), json!("1"));
            for shifted in ["0", "1"]
                .iter()
                .filter_map(|key| data.remove(*key))
                .collect::<Vec<_>>()
            {
                data.insert(format!("{}", data.len()), shifted);
            }
        }
        assert_eq!(
            describe(more.to_string().as_bytes()),
            describe(&body),
            "{file}"
        );
    }
}

#[test]
fn row_11_unrecognized_events_are_stored_as_unknown() {
    let deep_order = format!(
        r#"{{"request_id":"x","reason":"y","deep":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "null",
        "true",
        "1e999",
        "\"airalo\"",
        "not JSON",
        "{",
        "{}",
        "[]",
        "\0\0\0",
        r#"{"a":1} trailing"#,
        r#"{"request_id":"x","reason":"y",}"#,
        // Wrong structures of every kind.
        r#"[{"request_id":"x","reason":"y"}]"#,
        r#"{"data":[{"request_id":"x"}],"sims":{}}"#,
        r#"{"request_id":"x","sims":[]}"#,
        r#"{"request_id":"x","sims":"8900","reason":null}"#,
        r#"{"request_id":"x","reason":{"text":"y"}}"#,
        r#"{"level":"75%"}"#,
        r#"{"level":null,"iccid":"89"}"#,
        r#"{"level":["75%"],"iccid":"89"}"#,
        r#"{"level":"75%","iccid":""}"#,
        r#"{"data":{"level":"75%","iccid":"89"}}"#,
        r#"{"message":"Surpassed 80% of the credit limit balance"}"#,
        r#"{"message":"Surpassed 80% of the credit limit balance","remaining":"plenty"}"#,
        r#"{"message":80,"remaining":1}"#,
        // Bodies that resemble a kind and are not of it: an answer of the API, and the word "success".
        r#"{"data":{"request_id":"3NhR3gKmqCWK7IWppurpDX3Cg","accepted_at":"2024-07-11 15:26:02"},"meta":{"message":"success"}}"#,
        r#"{"data":{"type":"sim","remaining":1},"meta":{"message":"success"}}"#,
        &deep_order,
        &"[".repeat(100_000),
        &"{\"data\":".repeat(50_000),
        &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
    ]
    .map(|text| text.as_bytes().to_vec())
    .into_iter()
    .chain([b"\xff\xfe".to_vec(), b"{\"request_id\":\"x\",\"reason\":\"\xff\"}".to_vec(), vec![0; 4096]])
    .collect();

    let mut keys = Vec::new();
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        let request = verify(&signed(&body), &body).expect("never rejected for its content");
        assert_eq!(request.event_type.as_str(), "airalo.unknown", "{shown}");
        assert_eq!(request.identity.window, Some(SIX_HOURS), "{shown}");
        assert_eq!(request.identity.fingerprint, None, "{shown}");
        assert!(
            request.identity.key.as_str().starts_with("body:"),
            "{shown}"
        );
        assert!(
            !keys.contains(&request.identity.key),
            "another body has another key: {shown}"
        );
        keys.push(request.identity.key);
    }
}

#[test]
fn row_12_every_shape_of_a_failure_is_one_and_keeps_its_reason() {
    for file in raw_fixtures()
        .iter()
        .filter(|file| file.contains("failure"))
    {
        let request = verify(&signed(&fixture(file)), &fixture(file)).expect("signed");
        assert_eq!(request.event_type.as_str(), "airalo.order.failed", "{file}");
        let kept = value(&request.body);
        let reason = kept["reason"]
            .as_str()
            .or_else(|| kept["data"]["reason"].as_str());
        assert!(
            reason.is_some_and(|reason| reason.contains("out of stock")),
            "{file}"
        );
    }
}

#[test]
fn row_15_while_two_secrets_are_live_either_is_accepted_and_named() {
    let new = Secret::new("env:NEW", b"the-next-client-secret".to_vec()).expect("long enough");
    let live = [secret(), new.clone()];
    let body = fixture("webhook/credit_limit.50.raw.json");
    for signer in &live {
        let value = sign(signer, &body).1;
        let verified = Airalo.verify(&headers(&[&value]), &body, &live, SystemTime::UNIX_EPOCH);
        assert_eq!(verified.map(Secret::label), Ok(signer.label()));
    }
    let retired = headers(&[&sign(&new, &body).1]);
    assert_eq!(
        verify(&retired, &body).map(|_| ()),
        Err(Rejection::WrongSignature),
        "after the secret was removed"
    );
    assert_eq!(
        verify(&signed(&body), &body)
            .expect("live")
            .verified_by
            .as_str(),
        SECRET
    );
}

#[test]
fn every_sample_matches_its_name() {
    for name in sample_names() {
        let body = sample(name).expect("listed");
        assert_eq!(body.last(), Some(&b'}'), "{name}: contains no line end");
        let expected = if name == "order.conflict" {
            "order.completed"
        } else {
            name
        };
        assert_eq!(
            describe(body).event_type.as_str(),
            format!("airalo.{expected}")
        );
    }
    assert!(sample("order").is_none());

    let of = |name| describe(sample(name).expect("listed")).identity;
    let (first, conflict) = (of("order.completed"), of("order.conflict"));
    assert_eq!(first.key, conflict.key);
    assert_ne!(first.fingerprint, conflict.fingerprint);
    assert_ne!(first.key, of("order.failed").key);
}

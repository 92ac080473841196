//! Both readings are accepted if the sources of the contract disagree. (This file has only the
//! numbered disagreements about a body or its signature; the others are about Airalo's API or about
//! times.)

use super::bodies::{SIX_HOURS, describe, fixture, headers, secret, signed, value, verify};
use hookfast::sources::airalo::{sample, sign};
use hookfast::sources::{Description, Rejection};
use serde_json::{Value, json};

fn of(body: &Value) -> Description {
    describe(body.to_string().as_bytes())
}

fn order() -> Value {
    value(sample("order.completed").expect("a sample"))
}

#[test]
fn nr_2_a_retry_sends_the_same_result_again_or_runs_the_order_again() {
    let first = describe(sample("order.completed").expect("a sample"));
    let rerun = describe(sample("order.conflict").expect("a sample"));
    assert_eq!(of(&order()), first, "a retry has the same content");
    assert_eq!(
        (&rerun.event_type, &rerun.identity.key),
        (&first.event_type, &first.identity.key)
    );
    assert_ne!(
        rerun.identity.fingerprint, first.identity.fingerprint,
        "a repeated run has other content"
    );
}

#[test]
fn nr_3_request_id_is_at_the_root_in_data_or_the_payload_is_flat() {
    let at_root = order();

    let mut in_data = at_root.clone();
    in_data["data"]["request_id"] = in_data
        .as_object_mut()
        .expect("an object")
        .remove("request_id")
        .expect("there");

    let mut flat = at_root["data"].clone();
    flat["request_id"] = at_root["request_id"].clone();
    assert_eq!(
        flat["data"],
        json!("3 GB"),
        "at the top level, `data` is the volume of the plan"
    );

    let mut both = at_root.clone();
    both["data"]["request_id"] = json!("another");

    let mut unusable_at_root = in_data.clone();
    for (name, body) in [
        ("in data", &in_data),
        ("flat", &flat),
        ("both: the root counts", &both),
    ] {
        assert_eq!(of(body), of(&at_root), "{name}");
    }
    for unusable in [
        json!(null),
        json!(""),
        json!(7),
        json!(["x"]),
        json!({}),
        json!(false),
    ] {
        unusable_at_root["request_id"] = unusable;
        assert_eq!(of(&unusable_at_root), of(&at_root), "{unusable_at_root}");
    }

    let failure = value(&fixture(
        "webhook/async_order_failure.candidate-root.raw.json",
    ));
    let moved = json!({"reason": failure["reason"], "data": {"request_id": failure["request_id"]}});
    assert_eq!(of(&moved), of(&failure));
}

#[test]
fn without_a_request_id_the_key_is_the_order_id_or_else_the_bytes() {
    let mut body = order();
    body.as_object_mut()
        .expect("an object")
        .remove("request_id");
    let mut flat = body["data"].clone();
    flat["request_id"] = json!("  ");
    for by_id in [&body, &flat] {
        let by_id = of(by_id);
        assert_eq!(by_id.identity.key.as_str(), "order:id:700001:completed");
        assert_eq!(
            (by_id.identity.window, by_id.identity.fingerprint),
            (None, of(&order()).identity.fingerprint)
        );
    }
    body["data"]["id"] = json!("700001");
    assert_eq!(
        of(&body).identity.key.as_str(),
        "order:id:700001:completed",
        "an id as text is the same id"
    );

    body["data"]["id"] = json!(null);
    body["id"] = json!("of something else");
    let by_bytes = of(&body);
    assert_eq!(by_bytes.event_type.as_str(), "airalo.order.completed");
    assert!(
        by_bytes.identity.key.as_str().starts_with("body:"),
        "{by_bytes:?}"
    );
    assert_eq!(by_bytes.identity.window, None);
    assert_eq!(
        by_bytes.identity.fingerprint.expect("one").as_str(),
        "order::8900000000000000010"
    );

    let failed = of(&json!({"reason": "Out of stock.", "data": {"id": 700_001}}));
    assert_eq!(failed.identity.key.as_str(), "order:id:700001:failed");
    assert_eq!(failed.identity.window, None);
    let failed = of(&json!({"reason": "Out of stock."}));
    assert_eq!(failed.event_type.as_str(), "airalo.order.failed");
    assert!(failed.identity.key.as_str().starts_with("body:"));
    assert_eq!(
        failed.identity.window,
        Some(SIX_HOURS),
        "the next order may fail with exactly the same bytes"
    );
}

#[test]
fn nr_6_and_8_a_percentage_and_a_level_are_numbers_or_text() {
    let expected = describe(&fixture("webhook/low_data.75.raw.json"));
    for level in [json!("75%"), json!("75"), json!(75)] {
        for percentage in [
            json!(24),
            json!(24.02),
            json!("24"),
            json!("24.02"),
            json!(null),
        ] {
            let body = json!({"level": level, "package_name": "bonbon-7gb-10days", "remaining_percentage": percentage,
                "iccid": "87123123456889019"});
            assert_eq!(of(&body), expected, "{body}");
        }
    }
}

#[test]
fn nr_7_a_quantity_is_a_number_or_text() {
    for quantity in [json!(1), json!("1"), json!(null)] {
        let mut body = order();
        body["data"]["quantity"] = quantity;
        assert_eq!(of(&body), of(&order()), "{body}");
    }
}

#[test]
fn the_topic_in_the_url_does_not_outweigh_the_body() {
    use hookfast::sources::{SourceKind, airalo::Airalo};
    for name in [
        "order.completed",
        "order.failed",
        "low_data.90",
        "credit_limit.50",
    ] {
        let body = sample(name).expect("a sample");
        for topic in [
            "async_orders",
            "low_data",
            "credit_limit",
            "order.failed",
            "",
            "\0",
        ] {
            assert_eq!(
                Airalo.describe(Some(topic), &Default::default(), body),
                describe(body),
                "{name} at {topic:?}"
            );
        }
    }
}

#[test]
fn nr_10_text_voice_and_price_are_flat_or_under_numeric_keys() {
    let mut flat = order();
    let data = flat["data"].as_object_mut().expect("an object");
    assert!(
        data.remove("0").is_some() && data.remove("1").is_some(),
        "the sample contains them"
    );
    data.extend(
        [
            ("text", json!(null)),
            ("voice", json!(10)),
            ("net_price", json!(8.8)),
        ]
        .map(|(k, v)| (k.to_owned(), v)),
    );
    assert_eq!(of(&flat), of(&order()));
}

#[test]
fn nr_13_the_signature_covers_the_bytes_as_sent_and_no_other_encoding() {
    let sent = fixture("webhook/async_order_success.observed-2024.raw.json");
    let re_encoded = [
        serde_json::to_vec(&value(&sent)).expect("JSON"),
        String::from_utf8(sent.clone())
            .expect("JSON")
            .replace("\\/", "/")
            .into_bytes(),
    ];
    for other in re_encoded {
        let over_other = headers(&[&sign(&secret(), &other).1]);
        assert_eq!(
            verify(&over_other, &sent).map(|_| ()),
            Err(Rejection::WrongSignature)
        );
        assert_eq!(
            verify(&signed(&sent), &other).map(|_| ()),
            Err(Rejection::WrongSignature)
        );
        assert!(
            verify(&over_other, &other).is_ok(),
            "a sender that uses this encoding signs the bytes it sends"
        );
    }
}

#[test]
fn sims_outweigh_a_reason_and_ids_are_kept_as_written() {
    let describe_text = |text: &str| describe(text.as_bytes());
    let both = describe_text(
        r#"{"request_id":"r","reason":"x","data":{"id":90071992547409931234,"sims":[{"iccid":8900000000000000000001}]}}"#,
    );
    assert_eq!(both.event_type.as_str(), "airalo.order.completed");
    let fingerprint = both.identity.fingerprint.expect("one");
    assert_eq!(
        fingerprint.as_str(),
        "order:90071992547409931234:8900000000000000000001"
    );

    let text = describe_text(
        r#"{"request_id":"r","data":{"id":"90071992547409931234","sims":[{"iccid":"8900000000000000000001"}]}}"#,
    );
    assert_eq!(
        text.identity.fingerprint,
        Some(fingerprint),
        "as text or as a number"
    );

    let none = describe_text(r#"{"request_id":"r","reason":"x","sims":[]}"#);
    assert_eq!(none.event_type.as_str(), "airalo.order.failed");

    let odd = |sims: &str| {
        describe_text(&format!(r#"{{"request_id":"r","id":1,"sims":{sims}}}"#))
            .identity
            .fingerprint
    };
    assert_eq!(odd("[null]"), odd(r#"[{"iccid":null}]"#));
    assert_ne!(
        odd("[null]"),
        odd("[null,null]"),
        "two SIMs without an ICCID are different SIMs"
    );
}

#[test]
fn an_ambiguous_body_is_the_first_of_low_data_order_credit() {
    let (reason, request_id, message) = (json!("x"), json!("r"), json!("Surpassed 80% of it"));
    for (body, expected) in [
        (
            json!({"level": "75%", "iccid": "89", "request_id": request_id, "reason": reason}),
            "airalo.low_data.75",
        ),
        (
            json!({"level": "75%", "iccid": "89", "message": message, "remaining": 1}),
            "airalo.low_data.75",
        ),
        (
            json!({"reason": reason, "request_id": request_id, "message": message, "remaining": 1}),
            "airalo.order.failed",
        ),
        (
            json!({"request_id": request_id, "message": message, "remaining": 1}),
            "airalo.credit_limit.80",
        ),
    ] {
        assert_eq!(of(&body).event_type.as_str(), expected, "{body}");
    }
}

#[test]
fn the_remaining_amount_is_part_of_the_key_as_it_was_written() {
    for (remaining, expected) in [
        ("225.35", "225.35"),
        ("225.350", "225.350"),
        ("\"225.35\"", "225.35"),
        ("0", "0"),
        ("-12.5", "-12.5"),
        ("1e3", "1e3"),
        (
            "90071992547409931234.000000000000000001",
            "90071992547409931234.000000000000000001",
        ),
    ] {
        let body = format!(
            r#"{{"message":"Surpassed 70% of the credit limit balance","remaining": {remaining} }}"#
        );
        let description = describe(body.as_bytes());
        assert_eq!(description.event_type.as_str(), "airalo.credit_limit.70");
        assert_eq!(
            description.identity.key.as_str(),
            format!("credit_limit:70:{expected}")
        );
    }
    let long = format!(
        r#"{{"message":"Surpassed 70% of it","remaining":{}}}"#,
        "9".repeat(500)
    );
    assert!(
        describe(long.as_bytes())
            .identity
            .key
            .as_str()
            .starts_with("sha256:")
    );
}

#[test]
fn unknown_levels_and_thresholds_are_other_and_keep_different_keys() {
    let low = |level: &str| of(&json!({"level": level, "package_name": "p", "iccid": "89"}));
    assert_eq!(low("50%").event_type.as_str(), "airalo.low_data.other");
    assert_eq!(
        low("50%").identity.key.as_str(),
        "low_data:89:p:other:50%25"
    );
    assert_ne!(low("50%").identity.key, low("25%").identity.key);

    let credit = |message: &str| of(&json!({"message": message, "remaining": 5}));
    assert_eq!(
        credit("Surpassed 20% of it").event_type.as_str(),
        "airalo.credit_limit.other"
    );
    assert_eq!(
        credit("Surpassed 20% of it").identity.key.as_str(),
        "credit_limit:other:Surpassed 20%25 of it:5"
    );
    assert_ne!(
        credit("Surpassed 20% of it").identity.key,
        credit("Surpassed 30% of it").identity.key
    );

    let no_package = of(&json!({"level": "90%", "iccid": 89}));
    assert_eq!(no_package.identity.key.as_str(), "low_data:89::90");
}

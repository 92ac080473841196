//! Notifications as types: every fixture, both readings where sources disagree, and arbitrary
//! input.

use hookfast::sources::airalo::{Notification, Order};
use proptest::prelude::*;
use secrecy::ExposeSecret;

fn fixture(name: &str) -> Vec<u8> {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/airalo/webhook");
    std::fs::read(folder.join(name)).expect(name)
}

fn order(body: &[u8]) -> Order {
    match Notification::read(body) {
        Notification::OrderCompleted(order) => *order,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_observed_order_is_parsed_completely() {
    let order = order(&fixture("async_order_success.observed-2024.raw.json"));
    assert_eq!(
        order.request_id.as_deref(),
        Some("e_TESTrequest-id_00000001")
    );
    assert_eq!(
        (order.id.as_deref(), order.code.as_deref()),
        (Some("700001"), Some("20241002-700001"))
    );
    assert_eq!(
        (order.quantity, order.validity, order.data.as_deref()),
        (Some(1), Some(30), Some("3 GB"))
    );
    // Under numeric keys, whose numbers vary.
    assert_eq!(
        order.net_price.map(|price| price.to_string()).as_deref(),
        Some("8.8")
    );
    let sim = &order.sims[0];
    assert_eq!(
        (sim.iccid.as_deref(), sim.is_roaming),
        (Some("8900000000000000010"), Some(true))
    );
    assert_eq!(
        sim.matching_id.as_ref().map(ExposeSecret::expose_secret),
        Some("TEST")
    );
    let printed = format!("{order:?}");
    assert!(printed.contains("8900000000000000010"), "{printed}");
    for secret in ["TEST\"", "LPA:1", "carddata", "sandbox.airalo.com/qr"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}

#[test]
fn all_forms_of_a_failure_have_a_reason_and_a_request_id() {
    for (name, code) in [
        ("async_order_failure.candidate-data.raw.json", Some("34")),
        ("async_order_failure.candidate-root.raw.json", Some("34")),
        (
            "async_order_failure.candidate-root-noreasoncode.raw.json",
            None,
        ),
    ] {
        let Notification::OrderFailed(failure) = Notification::read(&fixture(name)) else {
            panic!("{name}")
        };
        assert!(
            failure
                .reason
                .expect(name)
                .starts_with("The requested eSIM package"),
            "{name}"
        );
        assert!(
            failure
                .request_id
                .expect(name)
                .starts_with("TESTrequest-id_"),
            "{name}"
        );
        assert_eq!(failure.code.as_deref(), code, "{name}");
    }
}

#[test]
fn money_is_kept_to_the_last_digit_and_numbers_may_be_texts() {
    for (written, read) in [
        ("8.10", "8.10"),
        ("\"8.10\"", "8.10"),
        ("0.1", "0.1"),
        ("12345678901234567.89", "12345678901234567.89"),
        ("8e-1", "0.8"),
        ("11", "11"),
    ] {
        let body = format!(
            r#"{{"data":{{"price":{written},"quantity":"2","sims":[{{}}]}},"request_id":"r"}}"#
        );
        let order = order(body.as_bytes());
        assert_eq!(
            order.price.map(|price| price.to_string()).as_deref(),
            Some(read),
            "{written}"
        );
        assert_eq!(order.quantity, Some(2));
    }
    for nothing in ["null", "true", "\"cheap\"", "[1]", "1e999"] {
        let body = format!(r#"{{"data":{{"price":{nothing},"sims":[{{}}]}},"request_id":"r"}}"#);
        assert_eq!(order(body.as_bytes()).price, None, "{nothing}");
    }
}

#[test]
fn low_data_and_credit_are_read_however_their_numbers_are_written() {
    for (written, read) in [("43", "43"), ("24.02", "24.02"), ("\"24.02\"", "24.02")] {
        let body = format!(
            r#"{{"level":"3days","package_name":"p","remaining_percentage":{written},"iccid":"8901"}}"#
        );
        let Notification::LowData(low) = Notification::read(body.as_bytes()) else {
            panic!("{body}")
        };
        assert_eq!(
            (low.iccid.as_str(), low.level.as_deref()),
            ("8901", Some("3days"))
        );
        assert_eq!(
            low.remaining_percentage
                .map(|left| left.to_string())
                .as_deref(),
            Some(read)
        );
    }
    let body = br#"{"message":"Surpassed 80% of the credit limit balance","remaining":225.35}"#;
    let Notification::CreditLimit(credit) = Notification::read(body) else {
        panic!("the credit notification")
    };
    assert_eq!(
        credit.remaining.map(|left| left.to_string()).as_deref(),
        Some("225.35")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_parsed_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Notification::read(&body);
    }

    #[test]
    fn any_json_in_place_of_an_order_is_parsed(value in json(), name in "[a-z_]{1,12}|sims|data|price|iccid") {
        let body = format!(r#"{{"data":{{"sims":[{{"iccid":"1","{name}":{value}}}],"{name}":{value}}},"request_id":"r","{name}":{value}}}"#);
        let _ = format!("{:?}", Notification::read(body.as_bytes()));
    }
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[0-9]{1,40}\\.[0-9]{1,40}",
        "[ -!#-\\[\\]-~]{0,20}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(","))),
            inner.prop_map(|item| format!("{{\"0\":{item}}}")),
        ]
    })
}

//! Properties for arbitrary input.

use super::bodies::{
    describe, fixture, raw_fixtures, raw_header, respelled, secret, signed, value, verify,
};
use hookfast::sources::airalo::Airalo;
use hookfast::sources::{Description, Rejection, SourceKind};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::SystemTime;

/// The description of any body can be stored, and is the same every time.
fn assert_storable(body: &[u8]) -> Result<Description, TestCaseError> {
    let description = describe(body);
    let (key, fingerprint) = (&description.identity.key, &description.identity.fingerprint);
    for text in [Some(key.as_str()), fingerprint.as_ref().map(|f| f.as_str())]
        .into_iter()
        .flatten()
    {
        prop_assert!(
            !text.is_empty() && text.len() <= 200 && !text.contains('\0'),
            "{:?}",
            text
        );
    }
    prop_assert!(
        !key.as_str().contains("#conflict:"),
        "the form that the store uses: {:?}",
        key
    );
    prop_assert!(description.event_type.as_str().starts_with("airalo."));
    prop_assert_eq!(&describe(body), &description);
    Ok(description)
}

/// JSON with the names that the parser reads, and with unusual values.
fn odd_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a:%#\0 0-9]{0,6}".prop_map(Value::from),
        Just(json!("#conflict:")),
        "[0:\0]{300}".prop_map(Value::from),
        prop::sample::select(vec!["75%", "3days", "Surpassed 80% of it", "225.35"])
            .prop_map(Value::from),
    ];
    let names = [
        "data",
        "sims",
        "iccid",
        "id",
        "request_id",
        "reason",
        "level",
        "package_name",
        "message",
        "remaining",
        "0",
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        let name = prop::sample::select(names.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The identity of an event, and a body that contains it.
#[derive(Debug, Clone, PartialEq)]
enum Message {
    Order {
        request_id: String,
        completed: bool,
    },
    OrderById {
        id: String,
        completed: bool,
    },
    LowData {
        iccid: String,
        package: String,
        level: String,
    },
    Credit {
        message: String,
        remaining: String,
    },
}

impl Message {
    fn body(&self) -> Value {
        let order = |completed: &bool| match completed {
            true => json!({"sims": [{"iccid": "1"}]}),
            false => json!({"reason": "x"}),
        };
        match self {
            Self::Order {
                request_id,
                completed,
            } => {
                let mut body = order(completed);
                body["request_id"] = json!(request_id);
                body
            }
            Self::OrderById { id, completed } => {
                let mut body = order(completed);
                body["id"] = json!(id);
                body
            }
            Self::LowData {
                iccid,
                package,
                level,
            } => json!({"iccid": iccid, "package_name": package, "level": level}),
            Self::Credit { message, remaining } => {
                json!({"message": message, "remaining": remaining})
            }
        }
    }
}

fn message() -> impl Strategy<Value = Message> {
    // Few letters and all separators, so that two tuples are often nearly equal.
    let part = || {
        prop_oneof![
            "[:%3A]{1,4}",
            "(id|other|completed|failed|75):?",
            "[1:]{1,2}"
        ]
    };
    let level = prop_oneof![
        Just("75%".to_owned()),
        Just("3days".to_owned()),
        "[b:]{1,3}"
    ];
    let message = prop_oneof![
        Just("Surpassed 80% of it".to_owned()),
        "[b:1]{1,3}",
        Just("80".to_owned())
    ];
    prop_oneof![
        (part(), any::<bool>()).prop_map(|(request_id, completed)| Message::Order {
            request_id,
            completed
        }),
        (part(), any::<bool>()).prop_map(|(id, completed)| Message::OrderById { id, completed }),
        (part(), part(), level).prop_map(|(iccid, package, level)| Message::LowData {
            iccid,
            package,
            level
        }),
        (message, "[12]{1,2}")
            .prop_map(|(message, remaining)| Message::Credit { message, remaining }),
    ]
}

/// Two tuples of the same words, split differently: without an escape they would be equal.
fn cut_twice() -> impl Strategy<Value = (Message, Message)> {
    let words = vec(
        prop::sample::select(vec!["a", "75", "other", "%3A", ":", "%"]),
        2..5,
    );
    (words, any::<[prop::sample::Index; 2]>()).prop_map(|(words, at)| {
        let cut = |at: prop::sample::Index| {
            let (iccid, package) = words.split_at(1 + at.index(words.len() - 1));
            Message::LowData {
                iccid: iccid.join(":"),
                package: package.join(":"),
                level: "75%".to_owned(),
            }
        };
        (cut(at[0]), cut(at[1]))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_described_and_rejected_without_a_signature(body: Vec<u8>, signature: Vec<u8>) {
        assert_storable(&body)?;
        prop_assert_eq!(verify(&Default::default(), &body).map(|_| ()), Err(Rejection::MissingSignature));
        if axum::http::HeaderValue::from_bytes(&signature).is_ok() {
            let secrets = [secret()];
            let verdict = Airalo.verify(&raw_header(&signature), &body, &secrets, SystemTime::UNIX_EPOCH);
            prop_assert_eq!(verdict.map(|_| ()), Err(Rejection::MalformedSignature));
        }
    }

    #[test]
    fn any_64_bytes_of_hex_are_wrong(body: Vec<u8>, mac in vec(any::<u8>(), 64)) {
        let verdict = verify(&raw_header(hex::encode(mac).as_bytes()), &body);
        prop_assert_eq!(verdict.map(|_| ()), Err(Rejection::WrongSignature));
    }

    #[test]
    fn any_shape_under_the_known_names_is_described(body in odd_json()) {
        assert_storable(body.to_string().as_bytes())?;
    }

    #[test]
    fn half_a_body_and_a_body_with_a_hole_are_described(at: prop::sample::Index, byte: u8) {
        for file in raw_fixtures() {
            let mut body = fixture(&file);
            let at = at.index(body.len());
            assert_storable(&body[..at])?;
            body[at] = byte;
            assert_storable(&body)?;
        }
    }

    #[test]
    fn a_signed_body_with_one_byte_changed_added_or_removed_is_rejected(
        body in vec(any::<u8>(), 1..300), at: prop::sample::Index, change in 1u8..,
    ) {
        let headers = signed(&body);
        prop_assert!(verify(&headers, &body).is_ok());
        let at = at.index(body.len());
        let (mut changed, mut longer, mut shorter) = (body.clone(), body.clone(), body);
        changed[at] ^= change;
        longer.insert(at, change);
        shorter.remove(at);
        for altered in [changed, longer, shorter] {
            prop_assert_eq!(verify(&headers, &altered).map(|_| ()), Err(Rejection::WrongSignature));
        }
    }

    #[test]
    fn different_events_never_have_the_same_key((a, b) in prop_oneof![(message(), message()), cut_twice()]) {
        let key = |message: &Message| assert_storable(message.body().to_string().as_bytes()).map(|d| d.identity.key);
        prop_assert_eq!(a == b, key(&a)? == key(&b)?, "{:?} {:?}", key(&a)?, key(&b)?);
    }

    #[test]
    fn the_order_of_the_sims_does_not_matter_and_each_iccid_does(
        (iccids, shuffled) in vec("[:%0-9a]{0,5}", 1..60).prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())),
        at: prop::sample::Index,
    ) {
        let fingerprint = |iccids: &[String]| {
            let sims: Vec<_> = iccids.iter().map(|iccid| json!({"id": 1, "iccid": iccid})).collect();
            let body = json!({"request_id": "r", "data": {"id": 1, "sims": sims}});
            assert_storable(body.to_string().as_bytes()).map(|d| d.identity.fingerprint)
        };
        prop_assert!(fingerprint(&iccids)?.is_some());
        prop_assert_eq!(fingerprint(&iccids)?, fingerprint(&shuffled)?);
        let mut other = iccids.clone();
        other[at.index(iccids.len())].push('b');
        prop_assert_ne!(fingerprint(&iccids)?, fingerprint(&other)?);
        other.push("b".to_owned());
        prop_assert_ne!(fingerprint(&iccids)?, fingerprint(&other)?);
    }

    #[test]
    fn another_spelling_is_the_same_event(choices in vec(any::<bool>(), 1..200)) {
        for file in raw_fixtures() {
            let text = String::from_utf8(fixture(&file)).expect("JSON");
            let mut choices = choices.iter().copied().cycle();
            let spelled = respelled(&text, &mut || choices.next().unwrap_or_default());
            prop_assert_eq!(value(spelled.as_bytes()), value(text.as_bytes()), "the spelling does not matter");
            prop_assert_eq!(describe(spelled.as_bytes()), describe(text.as_bytes()), "{}", spelled);
        }
    }
}

#[test]
fn a_body_as_large_as_the_limit_is_described_whatever_it_repeats() {
    let mebibyte = |unit: &str, before: &str, after: &str| {
        let n = ((1 << 20) - before.len() - after.len()) / unit.len();
        format!("{before}{}{after}", unit.repeat(n))
    };
    let sim = r#"{"iccid":"8900000000000000001"},"#;
    let cases = [
        (
            mebibyte(sim, r#"{"request_id":"r","sims":["#, "null]}"),
            "airalo.order.completed",
        ),
        (
            mebibyte("0,", r#"{"request_id":"r","sims":["#, "0]}"),
            "airalo.order.completed",
        ),
        (
            mebibyte(r#""sims":[1],"#, r#"{"request_id":"r","#, r#""id":1}"#),
            "airalo.order.completed",
        ),
        (
            mebibyte(r#""reason":"x","#, "{", r#""id":1}"#),
            "airalo.order.failed",
        ),
        (
            mebibyte("\\u0041", r#"{"reason":"x","request_id":""#, "\"}"),
            "airalo.order.failed",
        ),
        (
            mebibyte("9", r#"{"message":"80%","remaining":"#, "}"),
            "airalo.credit_limit.80",
        ),
        (
            mebibyte("[]", r#"{"request_id":"r","reason":"x","#, ""),
            "airalo.unknown",
        ),
        (mebibyte("[", "", ""), "airalo.unknown"),
        (mebibyte("\"\\", "", ""), "airalo.unknown"),
    ];
    for (body, expected) in cases {
        let description = assert_storable(body.as_bytes()).expect("storable");
        assert_eq!(
            description.event_type.as_str(),
            expected,
            "{}…",
            &body[..60]
        );
    }
}

//! Tests that apply to any sender.

use super::*;
use crate::domain::EventType;
use proptest::prelude::*;

fn settings(signed: &str) -> HmacSettings {
    HmacSettings {
        header: HeaderName::from_static("x-signature"),
        form: Form::Single {
            prefix: String::new(),
        },
        encoding: Encoding::Hex,
        algorithm: Algorithm::Sha256,
        signed: signed.parse().expect(signed),
        timestamp_header: None,
        id_header: None,
        tolerance: None,
        types: vec![],
        type_prefix: None,
        key: vec![],
        window: None,
        repeats: RepeatedPart::Body,
        handshake: None,
    }
}

/// Settings with time and id in headers.
fn whole(signed: &str) -> HmacSettings {
    HmacSettings {
        timestamp_header: Some(HeaderName::from_static("x-time")),
        id_header: Some(HeaderName::from_static("x-id")),
        ..settings(signed)
    }
}

fn source(settings: HmacSettings) -> HmacSource {
    HmacSource::new(settings).unwrap_or_else(|error| panic!("{error}"))
}

fn secret(label: &str, byte: u8) -> Secret {
    Secret::new(label, vec![byte; 32]).expect("long enough")
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn headers(values: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in values {
        headers.append(*name, value.parse().expect("a header value"));
    }
    headers
}

fn hex_of(secret: &Secret, signed: &str) -> String {
    hex::encode(Algorithm::Sha256.mac(secret, &[signed.as_bytes()]))
}

fn refused(source: &HmacSource, values: &[(&'static str, &str)], now: u64) -> Option<Rejection> {
    source
        .verify(&headers(values), b"b", &[secret("a", 1)], at(now))
        .err()
}

fn locations(texts: &[&str]) -> Vec<ValueSource> {
    texts
        .iter()
        .map(|text| text.parse().expect("a location"))
        .collect()
}

#[test]
fn signed_requests_verify_in_time_and_each_failure_has_its_reason() {
    let source = source(whole("{id}.{timestamp}.{body}"));
    let good = hex_of(&secret("a", 1), "m.1000.b");
    let request = |id: &'static str, time: &'static str, signature: &str| {
        [("x-id", id), ("x-time", time), ("x-signature", signature)].map(|(n, v)| (n, v.to_owned()))
    };
    let verdict = |request: [(&'static str, String); 3], now| {
        refused(
            &source,
            &request.each_ref().map(|(n, v)| (*n, v.as_str())),
            now,
        )
    };
    for now in [700, 1000, 1300] {
        assert_eq!(verdict(request("m", "1000", &good), now), None);
    }
    use Rejection::{MalformedSignature, MissingSignature, StaleSignature, WrongSignature};
    for now in [699, 1301, 0] {
        assert_eq!(
            verdict(request("m", "1000", &good), now),
            Some(StaleSignature)
        );
    }
    for (id, time, reason) in [
        ("n", "1000", WrongSignature),
        ("m", "1001", WrongSignature),
        ("m", "01000", MalformedSignature),
        ("m", "+1000", MalformedSignature),
        ("m", "1000.0", MalformedSignature),
        ("m", "99999999999999999999", MalformedSignature),
        ("m", "18446744073709551615", MalformedSignature),
        ("m", "", MalformedSignature),
        ("", "1000", MalformedSignature),
        ("m.1000", "1000", MalformedSignature),
    ] {
        assert_eq!(
            verdict(request(id, time, &good), 1000),
            Some(reason),
            "{id} {time}"
        );
    }
    let signature = ("x-signature", good.as_str());
    let (id, time) = (("x-id", "m"), ("x-time", "1000"));
    for missing in [&[id, time][..], &[id, signature], &[time, signature], &[]] {
        assert_eq!(refused(&source, missing, 1000), Some(MissingSignature));
    }
    for twice in [
        [id, id, time, signature],
        [id, time, time, signature],
        [id, time, signature, signature],
    ] {
        assert_eq!(refused(&source, &twice, 1000), Some(MalformedSignature));
    }
}

#[test]
fn either_side_may_switch_first_to_a_new_secret() {
    let form = Form::List(ListForm::new("v1", Some("t"), ',').expect("good names"));
    let source = source(HmacSettings {
        form,
        ..settings("{timestamp}.{body}")
    });
    let (old, new) = (secret("old", 1), secret("new", 2));
    let value = format!(
        "t=1000,v1={},v1={}",
        hex_of(&old, "1000.b"),
        hex_of(&new, "1000.b")
    );
    let by = |live: &[Secret]| {
        let result = source.verify(&headers(&[("x-signature", &value)]), b"b", live, at(1000));
        result.map(|secret| secret.label().to_owned())
    };
    assert_eq!(by(&[secret("other", 3), new.clone()]), Ok("new".to_owned()));
    assert_eq!(by(&[old, new]), Ok("old".to_owned()));
    assert_eq!(by(&[secret("other", 3)]), Err(Rejection::WrongSignature));
    assert_eq!(by(&[]), Err(Rejection::WrongSignature));
}

#[test]
fn contradictory_settings_are_rejected() {
    use InvalidSettings as Wrong;
    let name = |name| Some(HeaderName::from_static(name));
    let list = |timestamp| Form::List(ListForm::new("v1", timestamp, ',').expect("good names"));
    let minute = Some(Duration::from_secs(60));
    for (wrong, why) in [
        (settings("{timestamp}.{body}"), Wrong::TimestampNowhere),
        (
            HmacSettings {
                form: list(None),
                ..settings("{timestamp}.{body}")
            },
            Wrong::TimestampNowhere,
        ),
        (
            HmacSettings {
                timestamp_header: name("x-time"),
                ..settings("{body}")
            },
            Wrong::TimestampUnsigned,
        ),
        (
            HmacSettings {
                form: list(Some("t")),
                ..settings("{body}")
            },
            Wrong::TimestampUnsigned,
        ),
        (
            HmacSettings {
                form: list(Some("t")),
                ..whole("{id}.{timestamp}.{body}")
            },
            Wrong::TimestampTwice,
        ),
        (
            HmacSettings {
                tolerance: minute,
                ..settings("{body}")
            },
            Wrong::ToleranceForNothing,
        ),
        (
            HmacSettings {
                tolerance: Some(Duration::ZERO),
                ..whole("{id}.{timestamp}.{body}")
            },
            Wrong::NoTolerance,
        ),
        (settings("{id}.{body}"), Wrong::IdNowhere),
        (
            HmacSettings {
                id_header: name("x-id"),
                ..settings("{body}")
            },
            Wrong::IdUnsigned,
        ),
        (
            HmacSettings {
                id_header: name("x-time"),
                ..whole("{id}.{timestamp}.{body}")
            },
            Wrong::SameHeader,
        ),
        (
            HmacSettings {
                id_header: name("x-signature"),
                ..whole("{id}.{timestamp}.{body}")
            },
            Wrong::SameHeader,
        ),
        (
            HmacSettings {
                window: Some(Duration::ZERO),
                ..settings("{body}")
            },
            Wrong::NoWindow,
        ),
    ] {
        assert_eq!(HmacSource::new(wrong).err(), Some(why), "{why}");
    }
}

#[test]
fn a_request_is_identified_by_its_key_or_by_its_body() {
    let hour = Duration::from_secs(3600);
    let of = |settings: HmacSettings, body: &str| {
        let headers = headers(&[("x-id", "m:1"), ("x-topic", "orders/create")]);
        let Identity {
            key,
            window,
            fingerprint,
            ..
        } = source(settings)
            .describe(None, &headers, body.as_bytes())
            .identity;
        (
            key.as_str().to_owned(),
            window,
            fingerprint.map(|f| f.as_str()[..7].to_owned()),
        )
    };
    let body = r#"{"id":7,"at":{"id":"x:y"}}"#;
    let hashed = Some("sha256:".to_owned());
    let keyed = |key: &[&str]| HmacSettings {
        key: locations(key),
        ..settings("{body}")
    };
    assert_eq!(
        of(keyed(&["/id"]), body),
        ("7".to_owned(), None, hashed.clone())
    );
    assert_eq!(
        of(keyed(&["/at/id", "header:x-topic"]), body),
        ("x%3Ay:orders/create".to_owned(), None, hashed.clone())
    );
    let weak = HmacSettings {
        repeats: RepeatedPart::Nothing,
        window: Some(hour),
        ..keyed(&["/id"])
    };
    assert_eq!(of(weak, body), ("7".to_owned(), Some(hour), None));
    assert_eq!(
        of(whole("{id}.{timestamp}.{body}"), body),
        ("m%3A1".to_owned(), None, hashed)
    );

    let own = IdempotencyKey::of_body(body.as_bytes()).as_str().to_owned();
    assert_eq!(
        of(keyed(&["/id", "/none"]), body),
        (own.clone(), Some(REPEATS), None),
        "a key is whole or none"
    );
    assert_eq!(
        of(settings("{body}"), body),
        (own.clone(), Some(REPEATS), None)
    );
    assert_eq!(
        of(
            HmacSettings {
                window: Some(hour),
                ..settings("{body}")
            },
            body
        ),
        (own, Some(hour), None)
    );
    // A sender cannot choose an id that looks like another request's hash.
    let named = of(keyed(&["/id"]), r#"{"id":"body:00"}"#).0;
    assert_eq!(named, "body%3A00");
}

#[test]
fn unsigned_parts_raise_a_warning() {
    let advised = |settings: HmacSettings| source(settings).advice();
    let warned = |settings: HmacSettings| {
        let text = |advice| match advice {
            Advice::Warning(text) => text,
            Advice::Note(text) => panic!("nobody sends this: {text}"),
        };
        advised(settings).into_iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(
        warned(HmacSettings {
            types: locations(&["/type"]),
            key: locations(&["/id"]),
            ..settings("{body}")
        }),
        [""; 0]
    );
    let signed = locations(&["header:x-id", "header:x-time"]);
    assert_eq!(
        warned(HmacSettings {
            key: signed,
            ..whole("{id}.{timestamp}.{body}")
        }),
        [""; 0]
    );
    let advice = warned(HmacSettings {
        algorithm: Algorithm::InsecureSha1,
        types: locations(&["header:x-topic"]),
        key: locations(&["/id", "header:x-signature"]),
        ..settings("{body}")
    });
    let begins: Vec<_> = advice
        .iter()
        .map(|text| text.split(": anybody").next().unwrap_or_default())
        .collect();
    assert_eq!(begins.len(), 3, "{advice:?}");
    assert_eq!(
        begins[0],
        "type: the signature does not cover header:x-topic"
    );
    assert_eq!(
        begins[1],
        "key: the signature does not cover header:x-signature"
    );
    assert!(begins[2].starts_with("algorithm: SHA-1"), "{advice:?}");
    // GitHub names the type nowhere else, so there is only a note.
    let types = locations(&["header:x-github-event"]);
    let header = HeaderName::from_static("x-hub-signature-256");
    let key = locations(&["/id"]);
    let advice = advised(HmacSettings {
        header,
        types: types.clone(),
        key: key.clone(),
        ..settings("{body}")
    });
    assert!(
        matches!(&advice[..], [Advice::Note(text)] if text.ends_with("GitHub sends this value nowhere else")),
        "{advice:?}"
    );
    assert!(matches!(
        &advised(HmacSettings {
            types,
            key,
            ..settings("{body}")
        })[..],
        [Advice::Warning(_)]
    ));
}

#[test]
fn expiring_keys_raise_a_warning_if_an_old_copy_would_be_accepted() {
    let key = locations(&["/id"]);
    let days = Some(Duration::from_secs(90 * 24 * 3600));
    let warned = |settings: HmacSettings| {
        let advice = source(settings).advice();
        advice.iter().any(|one| matches!(one, Advice::Warning(text) if text.contains("is a new event") || text.contains("be a new event")))
    };
    assert!(warned(HmacSettings {
        window: days,
        key: key.clone(),
        ..settings("{body}")
    }));
    assert!(!warned(HmacSettings {
        window: None,
        key,
        ..settings("{body}")
    }));
    assert!(!warned(HmacSettings {
        window: days,
        ..whole("{id}.{timestamp}.{body}")
    }));
    assert!(warned(HmacSettings {
        window: Some(Duration::from_secs(500)),
        ..whole("{id}.{timestamp}.{body}")
    }));
    // Without a key the hash of the body is the key, for three days.
    assert!(warned(settings("{body}")));
    let timed = HmacSettings {
        timestamp_header: Some(HeaderName::from_static("x-time")),
        ..settings("{timestamp}.{body}")
    };
    assert!(!warned(timed));
}

fn any_settings() -> impl Strategy<Value = HmacSettings> {
    let signed = prop::sample::select(vec![
        "{body}",
        "{timestamp}.{body}",
        "v0:{timestamp}:{body}",
        "{id}.{timestamp}.{body}",
        "{id}.{body}",
    ]);
    let words = (any::<[bool; 3]>(), 0usize..3);
    (signed, words).prop_map(|(signed, ([hex, list, keyed], algorithm))| {
        let template: Template = signed.parse().expect(signed);
        let timestamp = template.signs_timestamp();
        let name = |name, wanted: bool| wanted.then(|| HeaderName::from_static(name));
        HmacSettings {
            form: match list {
                true => Form::List(
                    ListForm::new("v1", timestamp.then_some("t"), ',').expect("good names"),
                ),
                false => Form::Single {
                    prefix: "v0=".to_owned(),
                },
            },
            encoding: if hex { Encoding::Hex } else { Encoding::Base64 },
            algorithm: [
                Algorithm::Sha256,
                Algorithm::Sha512,
                Algorithm::InsecureSha1,
            ][algorithm],
            timestamp_header: name("x-time", timestamp && !list),
            id_header: name("x-id", template.signs_id()),
            types: locations(&["/type", "header:x-topic"]),
            key: if keyed {
                locations(&["/id", "header:x-topic"])
            } else {
                vec![]
            },
            ..settings(signed)
        }
    })
}

proptest! {
    #[test]
    fn only_signed_requests_verify(
        settings in any_settings(), id in "[a-z0-9]{1,20}", time in 1u64..1 << 40, body: Vec<u8>, at_byte: prop::sample::Index,
    ) {
        let (source, secrets) = (source(settings.clone()), [secret("a", 1)]);
        let time_text = time.to_string();
        let mac = settings.algorithm.mac(&secrets[0], &settings.signed.parts(&body, time_text.as_bytes(), id.as_bytes()));
        let mac = if settings.encoding == Encoding::Hex { hex::encode(mac) } else {
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac)
        };
        let value = match settings.form {
            Form::Single { .. } => format!("v0={mac}"),
            Form::List(_) => format!("t={time_text},v1={mac}"),
        };
        let headers = headers(&[("x-signature", &value), ("x-time", &time_text), ("x-id", &id)]);
        prop_assert!(source.verify(&headers, &body, &secrets, at(time)).is_ok());
        let mut other = body;
        if other.is_empty() { other.push(0) } else { let at = at_byte.index(other.len()); other[at] ^= 1 }
        prop_assert_eq!(source.verify(&headers, &other, &secrets, at(time)).err(), Some(Rejection::WrongSignature));
    }

    #[test]
    fn garbage_is_a_failure_and_no_panic(
        settings in any_settings(), values in prop::collection::vec(prop::collection::vec(32u8..=255, 0..90), 4), body: Vec<u8>, now: u32,
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in ["x-signature", "x-time", "x-id", "x-topic"].into_iter().zip(values) {
            if let Ok(value) = axum::http::HeaderValue::from_bytes(&value) { headers.insert(name, value); }
        }
        let source = source(HmacSettings { handshake: Some(crate::sources::HandshakeKind::SlackUrlVerification), ..settings });
        prop_assert!(source.verify(&headers, &body, &[secret("a", 1)], at(now.into())).is_err());
        let described = source.describe(None, &headers, &body);
        prop_assert!(described.event_type.as_str().parse::<EventType>().is_ok());
        prop_assert!(described.identity.key.as_str().len() <= 200);
        prop_assert!(source.handshake(&headers, &body).is_none());
    }
}

//! The cases that the Standard Webhooks libraries test themselves with, and Hookfast's additions.

use super::vectors::{Vector, kind, sample, secret, vectors};
use hookfast::internals::signing::standard_webhooks::parse_secret;
use hookfast::sources::{Rejection, SourceKind, standard_webhooks::StandardWebhooks};

fn vector() -> Vector {
    vectors("standard_webhooks")
        .into_iter()
        .find(|v| !v.headers["webhook-signature"].contains(' '))
        .expect("one")
}

/// The result of the vector with one header replaced (or, for none, removed).
fn with(name: &str, value: Option<&str>) -> Result<(), Rejection> {
    let mut vector = vector();
    match value {
        Some(value) => vector.headers.insert(name.to_owned(), value.to_owned()),
        None => vector.headers.remove(name),
    };
    vector.verify(&StandardWebhooks::default()).map(|_| ())
}

#[test]
fn the_cases_of_the_schemes_own_libraries() {
    let good = vector().headers["webhook-signature"].clone();
    assert_eq!(with("webhook-signature", Some(&good)), Ok(()));
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert_eq!(with(name, None), Err(Rejection::MissingSignature), "{name}");
    }
    assert_eq!(
        with("webhook-timestamp", Some("hello")),
        Err(Rejection::MalformedSignature)
    );
    let now = vector().now;
    for stale in [now - 301, now + 301] {
        assert_eq!(
            with("webhook-timestamp", Some(&stale.to_string())),
            Err(Rejection::StaleSignature)
        );
    }
    let other = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    for (signature, verdict) in [
        (
            "v1,dawfeoifkpqwoekfpqoekf".to_owned(),
            Err(Rejection::MalformedSignature),
        ),
        (String::new(), Err(Rejection::MalformedSignature)),
        ("v1,".to_owned(), Err(Rejection::MalformedSignature)),
        (good[3..].to_owned(), Err(Rejection::MalformedSignature)),
        (
            good.replace("v1,", "v2,"),
            Err(Rejection::MalformedSignature),
        ),
        (good[..20].to_owned(), Err(Rejection::MalformedSignature)),
        (other.to_owned(), Err(Rejection::WrongSignature)),
        (
            format!("{other} v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= {good} {other}"),
            Ok(()),
        ),
        (
            good.replace("v1,", "v1a,"),
            Err(Rejection::UnsupportedSignature),
        ),
        (format!("v1a,AAAA {good}"), Ok(())),
    ] {
        assert_eq!(
            with("webhook-signature", Some(&signature)),
            verdict,
            "{signature}"
        );
    }
}

#[test]
fn several_secrets_are_live_and_each_is_found() {
    let kind = StandardWebhooks::default();
    let texts = [
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        &vector().secret,
    ];
    let live: Vec<_> = texts
        .iter()
        .map(|text| parse_secret(text, text).expect("a secret"))
        .collect();
    for vector in vectors("standard_webhooks") {
        let by = kind.verify(
            &vector.headers(),
            vector.body.as_bytes(),
            &live,
            super::vectors::at(vector.now),
        );
        let two = vector.headers["webhook-signature"].contains(' ');
        assert_eq!(
            by.map(|secret| secret.label()),
            Ok(texts[if two { 1 } else { 2 }])
        );
    }
}

#[test]
fn tolerance_prefix_and_window_are_settings_and_another_body_is_a_conflict() {
    let section = sample("acme").replace("tolerance = \"5m\"", "tolerance = \"1h\"");
    let (narrow, wide) = (kind(&sample("acme")), kind(&section));
    let vector = vector();
    let late = |kind: &dyn SourceKind| {
        let secret = secret(&vector.secret, kind);
        vector
            .verify_as(
                kind,
                &vector.headers(),
                vector.body.as_bytes(),
                &secret,
                vector.now + 3600,
            )
            .map(|_| ())
    };
    assert_eq!(
        (late(&*narrow), late(&*wide)),
        (Err(Rejection::StaleSignature), Ok(()))
    );

    let of = |kind: &dyn SourceKind, body: &[u8]| kind.describe(None, &vector.headers(), body);
    let plain = StandardWebhooks::default();
    let (one, other) = (
        of(&plain, br#"{"type":"Invoice.paid"}"#),
        of(&plain, br#"{"type":"Invoice.paid" }"#),
    );
    assert_eq!(one.event_type.as_str(), "invoice.paid");
    assert_eq!(
        (&one.identity.key, one.identity.window),
        (&other.identity.key, None)
    );
    assert_ne!(one.identity.fingerprint, other.identity.fingerprint);
    assert_eq!(
        of(&plain, b"not JSON").event_type.as_str(),
        "standard_webhooks.unknown"
    );
    let prefixed = of(&*narrow, br#"{"type":"Invoice.paid"}"#);
    assert_eq!(prefixed.event_type.as_str(), "acme.invoice.paid");
    assert_eq!(
        prefixed.identity.window.map(|window| window.as_secs()),
        Some(90 * 24 * 3600)
    );
}

//! Each sample of the configuration accepts what its provider's own library signs, and rejects
//! every change of it.

use super::vectors::{Vector, headers, kind, sample, secret, vectors};
use hookfast::sources::{Advice, Rejection, SourceKind, Verified};

const ALL: [&str; 6] = [
    "github",
    "shopify",
    "slack",
    "stripe",
    "standard_webhooks",
    "clerk",
];

/// The source of the sample that accepts the requests of a file.
fn source_of(file: &str) -> std::sync::Arc<dyn SourceKind> {
    kind(&sample(if file == "standard_webhooks" {
        "acme"
    } else {
        file
    }))
}

/// Every vector of every file, with its source.
fn each(mut check: impl FnMut(&str, &dyn SourceKind, &Vector)) {
    for file in ALL {
        let (source, vectors) = (source_of(file), vectors(file));
        assert!(vectors.len() >= 2, "{file}");
        vectors
            .iter()
            .for_each(|vector| check(file, &*source, vector));
    }
}

#[test]
fn requests_signed_by_the_providers_library_are_accepted() {
    each(|file, source, vector| {
        assert!(
            vector.verify(source).is_ok(),
            "{file}: {:?}",
            vector.headers
        )
    });
}

#[test]
fn another_secret_is_rejected() {
    each(|file, source, vector| {
        let text = if ["standard_webhooks", "clerk"].contains(&file) {
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
        } else {
            "another-secret-0123456789"
        };
        let other = secret(text, source);
        let verdict = vector.verify_as(
            source,
            &vector.headers(),
            vector.body.as_bytes(),
            &other,
            vector.now,
        );
        assert_eq!(
            verdict.map(|_| ()),
            Err(Rejection::WrongSignature),
            "{file}"
        );
    });
}

#[test]
fn no_byte_of_a_body_can_change() {
    each(|file, source, vector| {
        let secret = secret(&vector.secret, source);
        for at in 0..vector.body.len() {
            for change in [1, 0x20, 0x80] {
                let mut body = vector.body.clone().into_bytes();
                body[at] ^= change;
                let verdict =
                    vector.verify_as(source, &vector.headers(), &body, &secret, vector.now);
                assert_eq!(
                    verdict.map(|_| ()),
                    Err(Rejection::WrongSignature),
                    "{file}: byte {at}"
                );
            }
        }
    });
}

/// Signature, time and id, as far as they are signed: each byte is changed to every other that a
/// header may contain.
#[test]
fn no_byte_of_a_signed_header_can_change() {
    each(|file, source, vector| {
        // Two signatures give two chances: with one of them changed, the other is still valid.
        if vector
            .headers
            .iter()
            .any(|(name, value)| name.ends_with("-signature") && value.contains(' '))
        {
            return;
        }
        let secret = secret(&vector.secret, source);
        for name in source.signature_headers() {
            let value = vector.headers[name.as_str()].as_bytes();
            for at in 0..value.len() {
                for byte in (32..=255).filter(|byte| *byte != value[at]) {
                    let mut changed = value.to_vec();
                    changed[at] = byte;
                    let changed = headers(vector.headers.iter().map(|(n, v)| {
                        (
                            n,
                            if n == name.as_str() {
                                &changed[..]
                            } else {
                                v.as_bytes()
                            },
                        )
                    }));
                    let Some(changed) = changed else { continue };
                    let verdict = vector.verify_as(
                        source,
                        &changed,
                        vector.body.as_bytes(),
                        &secret,
                        vector.now,
                    );
                    assert!(verdict.is_err(), "{file}: {name}, byte {at} as {byte}");
                }
            }
        }
    });
}

#[test]
fn no_signed_header_can_be_missing_or_repeated() {
    each(|file, source, vector| {
        let secret = secret(&vector.secret, source);
        for name in source.signature_headers() {
            let (mut without, mut twice) = (vector.headers(), vector.headers());
            without.remove(&name);
            twice.append(name.clone(), vector.headers()[&name].clone());
            for (headers, why) in [
                (without, Rejection::MissingSignature),
                (twice, Rejection::MalformedSignature),
            ] {
                let verdict = vector.verify_as(
                    source,
                    &headers,
                    vector.body.as_bytes(),
                    &secret,
                    vector.now,
                );
                assert_eq!(verdict.map(|_| ()), Err(why), "{file}: {name}");
            }
        }
    });
}

#[test]
fn a_signed_timestamp_is_valid_for_five_minutes() {
    each(|file, source, vector| {
        let secret = secret(&vector.secret, source);
        let verdict = |now| {
            vector
                .verify_as(
                    source,
                    &vector.headers(),
                    vector.body.as_bytes(),
                    &secret,
                    now,
                )
                .map(|_| ())
        };
        for now in [vector.now - 1000, vector.now + 1000] {
            let timeless = ["github", "shopify"].contains(&file);
            assert_eq!(
                verdict(now),
                if timeless {
                    Ok(())
                } else {
                    Err(Rejection::StaleSignature)
                },
                "{file}"
            );
        }
    });
}

#[test]
fn each_sample_is_classified_and_identified_as_expected() {
    let printed = |file: &str, nth: usize| {
        let event = vectors(file)[nth].event(&*source_of(file));
        let fingerprint = event.identity.fingerprint.is_some();
        (
            event.event_type.to_string(),
            event.identity.key.as_str().to_owned(),
            fingerprint,
        )
    };
    for (file, nth, event_type, key, fingerprint) in [
        (
            "github",
            0,
            "github.push",
            "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            true,
        ),
        (
            "github",
            1,
            "github.pull_request.opened",
            "0b989ba4-242f-11e5-81e1-c7b6966d2516",
            true,
        ),
        (
            "shopify",
            0,
            "shopify.orders.create",
            "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
            true,
        ),
        (
            "shopify",
            1,
            "shopify.orders.paid",
            "d2b3a5f6-0000-4b37-8a5f-bf7d70bcd044",
            true,
        ),
        (
            "slack",
            0,
            "slack.event_callback.message",
            "Ev0PV52K21",
            true,
        ),
        (
            "stripe",
            0,
            "stripe.invoice.paid",
            "evt_1NG8Du2eZvKYlo2CUI79vXWy",
            false,
        ),
        ("standard_webhooks", 0, "acme.unknown", "msg_python", true),
        ("clerk", 0, "clerk.user.created", "msg_svix_python", true),
        (
            "clerk",
            1,
            "clerk.user.created",
            "msg_standardwebhooks_python",
            true,
        ),
        (
            "standard_webhooks",
            1,
            "acme.user.created",
            "msg_standardwebhooks_1",
            true,
        ),
    ] {
        assert_eq!(
            printed(file, nth),
            (event_type.to_owned(), key.to_owned(), fingerprint),
            "{file} {nth}"
        );
    }
}

#[test]
fn slacks_challenge_is_answered_only_if_it_is_signed() {
    let (slack, vector) = (source_of("slack"), vectors("slack").remove(1));
    let Verified::Handshake(handshake) = vector.verify(&*slack).expect("signed") else {
        panic!("a handshake")
    };
    assert_eq!(
        handshake.as_str(),
        "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
    );
    let other = secret("another-secret-0123456789", &*slack);
    let verdict = vector.verify_as(
        &*slack,
        &vector.headers(),
        vector.body.as_bytes(),
        &other,
        vector.now,
    );
    assert_eq!(verdict.map(|_| ()), Err(Rejection::WrongSignature));
    // Without the setting it would be an ordinary event.
    let plain = kind(&sample("slack").replace("handshake = \"slack_url_verification\"", ""));
    assert_eq!(
        vector.event(&*plain).event_type.as_str(),
        "slack.url_verification"
    );
}

#[test]
fn the_samples_note_unsigned_parts_and_give_no_pointless_warning() {
    let printed = |name| {
        let advice = kind(&sample(name)).advice();
        let notes = advice
            .iter()
            .filter(|advice| matches!(advice, Advice::Note(_)))
            .count();
        (notes, advice.len() - notes)
    };
    assert_eq!(["github", "shopify"].map(printed), [(2, 0); 2]);
    assert_eq!(
        ["slack", "stripe", "acme", "clerk", "partner"].map(printed),
        [(0, 0); 5]
    );
}

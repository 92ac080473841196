//! Settings of sources.

use super::{API, HANDLER, SOURCE, sample_source};
use crate::config::Config;

#[test]
fn a_setting_of_one_kind_is_no_setting_of_another() {
    let (acme, slack) = (sample_source("acme"), sample_source("slack"));
    assert!(Config::parse(&acme).is_ok() && Config::parse(&slack).is_ok());
    for (text, wrong) in [
        (
            format!("{SOURCE}tolerance = '5m'\n"),
            "[sources.airalo] tolerance: the kind 'airalo' has no such setting",
        ),
        (
            format!("{acme}\nkey = ['/id']\n"),
            "[sources.acme] key: the kind 'standard_webhooks' has no such setting",
        ),
        (format!("{slack}\nsigner = 'x'\n"), "unknown field `signer`"),
        (
            acme.replace("5m", "0s"),
            "[sources.acme] tolerance: must be greater than zero",
        ),
        (
            slack.replace("header = \"x-slack-signature\"", ""),
            "[sources.slack]: the kind 'hmac' needs the setting header",
        ),
        (
            slack.replace("sha256", "sha1"),
            "[sources.slack] algorithm: 'sha1' is not an algorithm",
        ),
        (
            slack.replace("hex", "base32"),
            "[sources.slack] encoding: 'base32' is not an encoding",
        ),
        (
            slack.replace("{body}", "{url}"),
            "[sources.slack] signed: 'v0:{timestamp}:{url}' is an invalid template of the signed text",
        ),
        (
            slack.replace("timestamp_header", "id_header"),
            "[sources.slack]: signed has {timestamp}: set timestamp_header",
        ),
        (
            slack.replace("/event_id", "event_id"),
            "[sources.slack] key: 'event_id' is not a JSON pointer",
        ),
        (
            slack.replace("slack_url_verification", "echo"),
            "[sources.slack] handshake: 'echo' is not a handshake",
        ),
        (
            format!("{slack}\nlist = {{ signature = 'v1' }}\n"),
            "[sources.slack]: prefix and list both describe",
        ),
        (
            format!("{slack}\nrepeats = 'id'\n"),
            "[sources.slack] repeats: 'id' is neither",
        ),
    ] {
        let error = Config::parse(&text).expect_err(wrong).to_string();
        assert!(error.contains(wrong), "{wrong} is not in:\n{error}");
    }
}

#[test]
fn every_kind_of_source_has_secret_and_search_fields() {
    let fields = "secret_fields = ['QrCode', 'pin']\nsearch_fields = ['Order', 'order']\n";
    let fed = format!("[sources.fed]\nkind = 'sql'\n{fields}");
    for section in [
        SOURCE.to_owned(),
        sample_source("acme"),
        sample_source("slack"),
    ] {
        let config = Config::parse(&format!("{section}\n{fields}{fed}"))
            .unwrap_or_else(|error| panic!("{error}"));
        for fields in [&config.sources[0].fields, &config.sql_sources[0].1] {
            assert_eq!(
                (fields.secret().join(" "), fields.search().join(" ")),
                ("pin qrcode".into(), "order".into())
            );
        }
    }
    for (setting, wrong) in [
        (
            "secret_fields = ['']",
            "[sources.airalo]: secret_fields: \"\" is not a member name",
        ),
        (
            "search_fields = [\"a\\u0000\"]",
            "[sources.airalo]: search_fields: \"a\\0\" is not a member name",
        ),
    ] {
        let error = Config::parse(&format!("{SOURCE}{setting}\n"))
            .expect_err(wrong)
            .to_string();
        assert!(error.contains(wrong), "{wrong} is not in:\n{error}");
    }
}

#[test]
fn an_api_is_airalos_and_its_secret_a_reference() {
    for (setting, wrong) in [
        (
            API.replace("env:S", "canary-0123456789"),
            "[sources.airalo] api.client_secret: a secret must be a reference, env:NAME",
        ),
        (
            format!("{API}reconcile_every = '0s'\n"),
            "[sources.airalo] api.reconcile_every: must be greater than zero",
        ),
        (
            format!("{API}timeout = 'soon'\n"),
            "[sources.airalo] api.timeout",
        ),
        (
            format!("{API}[sources.airalo.api.opt_in]\nsms = 'x'\n"),
            "[sources.airalo] api.opt_in: 'sms' is not a notification type",
        ),
    ] {
        let error = Config::parse(&format!("{SOURCE}{setting}"))
            .expect_err(wrong)
            .to_string();
        assert!(
            error.contains(wrong) && !error.contains("canary"),
            "{wrong} is not in:\n{error}"
        );
    }
    for (kind, section) in [
        ("acme", sample_source("acme")),
        ("fed", "[sources.fed]\nkind = 'sql'\n".to_owned()),
    ] {
        let with_api = format!(
            "{SOURCE}{section}\n{}",
            API.replace("airalo.api", &format!("{kind}.api"))
        );
        let error = Config::parse(&with_api).expect_err(kind).to_string();
        assert!(error.contains("has no api"), "{error}");
    }
}

/// No sender can use the types of another source, unless an operator configures it.
#[test]
fn types_begin_with_the_name_of_their_source_by_default() {
    let body = bytes::Bytes::from_static(br#"{"type":"Invoice.Paid"}"#);
    let described = |text: &str| {
        let config = Config::parse(text).expect(text);
        let kind = config.sources[0].kind.clone();
        kind.describe(None, &axum::http::HeaderMap::new(), &body)
            .event_type
            .to_string()
    };
    let bare = "kind = 'standard_webhooks'\nsecrets = ['env:S']\n";
    let stripe = sample_source("stripe");
    for (text, expected) in [
        (format!("[sources.acme-eu]\n{bare}"), "acme_eu.invoice.paid"),
        (
            format!("[sources.acme]\n{bare}type_prefix = 'billing'\n"),
            "billing.invoice.paid",
        ),
        (
            format!("[sources.acme]\n{bare}type_prefix = ''\n"),
            "invoice.paid",
        ),
        (stripe.clone(), "stripe.invoice.paid"),
        (format!("{stripe}\ntype_prefix = ''\n"), "invoice.paid"),
    ] {
        assert_eq!(described(&text), expected, "{text}");
    }
    for (text, wrong) in [
        (
            format!("[sources.airalo]\n{bare}"),
            "[sources.airalo]: its name cannot be the prefix of its types; set type_prefix",
        ),
        (
            format!("[sources.acme]\n{bare}type_prefix = 'airalo.x'\n"),
            "not beginning with hookfast or airalo",
        ),
    ] {
        let error = Config::parse(&text).expect_err(wrong).to_string();
        assert!(error.contains(wrong), "{error}");
    }
}

#[test]
fn the_name_of_the_alert_source_is_reserved() {
    for kind in ["kind = 'sql'", "kind = 'airalo'\nsecrets = ['env:S']"] {
        let error = Config::parse(&format!("{SOURCE}[sources.hookfast]\n{kind}\n"))
            .expect_err("accepted")
            .to_string();
        assert!(
            error.contains("[sources.hookfast]: this name is reserved for Hookfast's own events"),
            "{error}"
        );
    }
    let subscribed = format!("{SOURCE}{HANDLER}sources = ['hookfast']\n");
    Config::parse(&subscribed).expect("a handler may want only them");
}

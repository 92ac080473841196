//! Error messages: each names the place and the expected value, and none repeats a value.

use super::{HANDLER, SOURCE};
use crate::config::Config;
use proptest::prelude::*;

#[test]
fn every_problem_is_named_with_its_setting() {
    let text = "\
        [sources.Airalo]\nkind = 'stripe'\nsecrets = ['canary-literal-secret']\n\
        [handlers.shop]\nkind = 'http'\ntypes = ['a.**', 'b']\nsources = ['nobody']\nurl = 'x'\nsecrets = []\ntimeout = '5'\nconcurrency = 0\n\
        retry = { delays = ['soon'] }\n\
        [ingress]\nbody_bytes = '1MB'\nqueue_capacity = 0\n[worker]\nshutdown_timeout = 'long'\n\
        [roles]\nreader = 'pg_monitor'\noperator = 'a\"b'\n";
    let error = Config::parse(text).expect_err("much is wrong").to_string();
    for place in [
        "[sources.Airalo]: 'Airalo' is not a source name",
        "[sources.Airalo]: unknown kind 'stripe'; known kinds are: airalo, standard_webhooks, hmac, sql",
        "[sources.Airalo] secrets: a secret must be a reference, env:NAME or file:/path",
        "[handlers.shop] types: 'a.**' is not a type pattern",
        "[handlers.shop] sources: there is no [sources.nobody]",
        "[handlers.shop] secrets: it needs at least one secret",
        "[handlers.shop] timeout: '5' is not a duration",
        "[handlers.shop] concurrency: must be at least 1",
        "[handlers.shop] retry: 'soon' is not a duration",
        "[ingress] body_bytes: '1MB' is not a size",
        "[ingress] queue_capacity: must be at least 1",
        "[worker] shutdown_timeout: 'long' is not a duration",
        "[roles] reader: 'pg_monitor' is not a role name",
        "[roles] operator: 'a\"b' is not a role name",
        "nothing was started",
    ] {
        assert!(error.contains(place), "{place} is not in:\n{error}");
    }
    assert!(!error.contains("canary"), "{error}");
}

/// Mistakes that put a secret in the wrong place. The error has the line, the key and the expected
/// value.
#[test]
fn a_text_that_is_not_a_configuration_is_refused_without_its_values() {
    let handler = |line: &str| format!("{SOURCE}{HANDLER}{line}\n");
    for (text, expected) in [
        (
            SOURCE.replace("['env:AIRALO_CLIENT_SECRET']", "'canary-1'"),
            "line 3, column 11, in `sources.airalo.secrets`",
        ),
        (
            SOURCE.replace("['env:AIRALO_CLIENT_SECRET']", "'canary-1'"),
            "type string is not allowed here, expected a list",
        ),
        (
            SOURCE.replace("['env:AIRALO_CLIENT_SECRET']", "'a, expected canary'"),
            "expected a list, such as",
        ),
        (
            SOURCE.replace("['env:AIRALO_CLIENT_SECRET']", "[12345, 'canary']"),
            "type integer is not allowed here, expected a string",
        ),
        (
            SOURCE.replace(
                "secrets = ['env:AIRALO_CLIENT_SECRET']",
                "secret = ['canary']",
            ),
            "unknown field `secret`, expected",
        ),
        (
            SOURCE.replace("['env:AIRALO_CLIENT_SECRET']", "['canary]"),
            "line 3",
        ),
        (
            SOURCE.replace("['env:AIRALO_CLIENT_SECRET']", "[\"canary]"),
            "line 3",
        ),
        (
            SOURCE.replace("['env:AIRALO_CLIENT_SECRET']", "[canary']"),
            "line 3",
        ),
        (
            SOURCE.replace("['env:AIRALO_CLIENT_SECRET']", "canary"),
            "line 3",
        ),
        (
            SOURCE.replace("['env:AIRALO_CLIENT_SECRET']", "{ Whsec_canary = 1 }"),
            "is not allowed here, expected a list",
        ),
        (
            SOURCE.replace("secrets =", "'Bearer canary' ="),
            "unknown field (its name is not repeated), expected",
        ),
        (
            SOURCE.replace("secrets = ['env:AIRALO_CLIENT_SECRET']", "secrets 'canary'"),
            "line 3",
        ),
        (
            format!("{SOURCE}on_invalid_signature = 'canary'\n"),
            "unknown value, expected `reject` or `quarantine`",
        ),
        (
            format!("{SOURCE}list = {{ signature = 'v1', separator = 'canary' }}\n"),
            "expected a character",
        ),
        (
            handler("headers = { authorization = ['Bearer canary'] }"),
            "in `handlers.shop.headers.authorization`: a value of the type list",
        ),
        (
            handler("headers = ['authorization: Bearer canary']"),
            "type list is not allowed here, expected a table",
        ),
        (
            handler("authorization = 'Bearer canary'"),
            "unknown field `authorization`",
        ),
        (handler("headers.authorization = \"Bearer canary"), "line 9"),
        (
            handler("allow_private = 'canary'"),
            "type string is not allowed here, expected a boolean",
        ),
        (
            handler("retry = { canary = [] }"),
            "unknown value, expected `delays` or `exponential`",
        ),
        (
            handler("retry = { exponential = { base = '1s', max = '1h', tries = 5 } }"),
            "unknown field `tries`, expected base, max, max_attempts",
        ),
        (handler("secrets = ['canary']"), "duplicate key"),
    ] {
        let error = Config::parse(&text).expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected} is not in:\n{error}");
        assert!(
            error.contains("line ") && !error.contains("anary"),
            "{error}"
        );
    }
}

#[test]
fn an_unknown_key_or_kind_is_named() {
    let unknown = Config::parse(&format!("{SOURCE}secret = 'x'\n"))
        .expect_err("an unknown key")
        .to_string();
    assert!(
        unknown.contains("unknown field `secret`") && unknown.contains("line 4"),
        "{unknown}"
    );
    let kind = format!("{SOURCE}{}", HANDLER.replace("'http'", "'push'"));
    let kind = Config::parse(&kind)
        .expect_err("an unknown kind")
        .to_string();
    assert!(
        kind.contains("unknown kind 'push'; known kinds are: http, sql, pull"),
        "{kind}"
    );
    assert!(
        Config::parse("[sources.a]\nkind='airalo'\n[sources.a]\nkind='airalo'").is_err(),
        "the same name twice"
    );
}

#[test]
fn a_known_sender_as_kind_gets_an_error_with_the_right_kind() {
    for (sender, kind) in [
        ("stripe", "hmac"),
        ("GitHub", "hmac"),
        ("clerk", "standard_webhooks"),
    ] {
        let file = format!("[sources.x]\nkind = '{sender}'\nsecrets = ['env:S']\n");
        let error = Config::parse(&file).expect_err(sender).to_string();
        let hint =
            format!("docs/hookfast.sample.toml has a section for {sender}: its kind is '{kind}'");
        assert!(error.contains(&hint), "{error}");
    }
    let error = Config::parse("[sources.x]\nkind = 'other'\nsecrets = ['env:S']\n")
        .expect_err("other")
        .to_string();
    assert!(
        error.contains("unknown kind 'other'") && !error.contains("sample"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _ = Config::parse(&text);
    }
}

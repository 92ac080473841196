//! Valid files, and the messages for invalid ones.

use super::super::{Config, HandlerKind};
use crate::domain::{Breaker, OnDeadLetter, Rate, RoleNames};
use proptest::prelude::*;
use std::time::Duration;

const SOURCE: &str = "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n";
const HANDLER: &str = "[handlers.shop]\nkind = 'http'\ntypes = ['*']\nurl = 'https://example.com/'\nsecrets = ['env:S']\n";

const API: &str = "[sources.airalo.api]\nclient_id = 'partner'\nclient_secret = 'env:S'\n";

fn sample() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/hookfast.sample.toml");
    std::fs::read_to_string(path).expect("the sample is there")
}

/// The sample with every setting uncommented. A setting is `#key = …`, without a blank after the
/// `#`; prose has a blank.
fn uncommented() -> String {
    let setting = |line: &str| {
        let bare = line
            .strip_prefix('#')
            .filter(|rest| !rest.starts_with(' ') && !rest.is_empty());
        bare.unwrap_or(line).to_owned()
    };
    sample().lines().map(setting).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_is_right_as_it_is_and_with_every_setting() {
    let plain = Config::parse(&sample()).expect("the sample as it is");
    assert_eq!((plain.sources.len(), plain.handlers.len()), (1, 1));
    let full = Config::parse(&uncommented()).expect("the sample with every setting");
    // The values that the sample shows as defaults are the defaults.
    let default = Config::parse(SOURCE).expect("a source alone");
    assert_eq!(
        (full.limits, full.queue_capacity, full.shutdown_timeout),
        (
            default.limits,
            default.queue_capacity,
            default.shutdown_timeout
        )
    );
    assert_eq!(full.quarantine, default.quarantine);
    let role = |name: &str| Some(name.parse().expect("a role"));
    assert_eq!(
        (full.roles.reader, full.roles.operator),
        (role(RoleNames::READER), role(RoleNames::OPERATOR))
    );
    let with_defaults =
        Config::parse(&format!("{SOURCE}{HANDLER}")).expect("a handler with its defaults");
    let shown = full
        .handlers
        .iter()
        .find(|handler| handler.name.as_str() == "shop")
        .expect("the first sample");
    let default = &with_defaults.handlers[0];
    // So are those of the API.
    let api = full
        .sources
        .iter()
        .find_map(|source| source.api.as_ref())
        .expect("the sample's");
    let least = Config::parse(&format!("{SOURCE}{API}")).expect("an API with its defaults");
    let least = least.sources[0].api.as_ref().expect("one");
    assert_eq!(
        (&api.base_url, api.timeout, api.reconcile_every),
        (&least.base_url, least.timeout, least.reconcile_every)
    );
    assert_eq!(
        (
            shown.policy.timeout,
            shown.policy.concurrency,
            &shown.policy.retry
        ),
        (
            default.policy.timeout,
            default.policy.concurrency,
            &default.policy.retry
        )
    );
}

#[test]
fn the_sample_names_every_setting() {
    // serde knows the keys: its error for a file with an unknown key lists all of them.
    let expected = |text: &str| -> Vec<String> {
        let error = Config::parse(text).expect_err("an unknown key").to_string();
        let (_, list) = error
            .split_once("expected one of ")
            .or_else(|| error.split_once("expected "))
            .expect(&error);
        let list = list.lines().next().expect("a line").replace(" or ", ", ");
        list.split(", ")
            .map(|key| key.trim_matches('`').to_owned())
            .collect()
    };
    let section = |name: &str| format!("{SOURCE}[{name}]\nwrong = 1\n");
    let mut keys = expected("wrong = 1");
    keys.extend(expected(&SOURCE.replace("kind", "wrong = 1\nkind")));
    keys.extend(expected(&format!(
        "{SOURCE}{}",
        HANDLER.replace("kind", "wrong = 1\nkind")
    )));
    keys.extend(expected(&format!("{SOURCE}{API}wrong = 1\n")));
    for name in ["ingress", "quarantine", "worker", "roles"] {
        keys.extend(expected(&section(name)));
    }
    let sample = uncommented();
    assert!(keys.len() > 25, "{keys:?}");
    for key in keys {
        let shown = sample.lines().any(|line| {
            line.starts_with(&format!("{key} ="))
                || line.starts_with(&format!("[{key}"))
                || line.contains(&format!(".{key}]"))
        });
        assert!(shown, "the sample does not show '{key}'");
    }
}

#[test]
fn the_deployment_page_has_every_limit_with_its_default() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/DEPLOYMENT.md"))
        .expect("it is there");
    let sample = sample();
    let section = sample
        .split("\n[ingress]\n")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .expect("a section");
    let settings = section
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.split_once(" = "));
    let settings: Vec<_> = settings.filter(|(key, _)| !key.contains(' ')).collect();
    assert!(settings.len() >= 10, "{settings:?}");
    for (key, default) in settings {
        let row = format!("| `{key}` | {} |", default.trim_matches('"'));
        assert!(page.contains(&row), "docs/DEPLOYMENT.md has no row {row}");
    }
}

#[test]
fn every_problem_is_named_with_its_place() {
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

/// Mistakes that put a secret in the wrong place. The message has the line, the key and what is
/// expected.
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

/// The section of that name in the sample, uncommented as an operator would do it.
fn sample_source(name: &str) -> String {
    let text = uncommented();
    let from = text.find(&format!("[sources.{name}]")).expect(name);
    let end = text[from..].find("\n\n").expect("an empty line after it");
    text[from..from + end].to_owned()
}

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
            "[sources.slack] signed: 'v0:{timestamp}:{url}' does not say what is signed",
        ),
        (
            slack.replace("timestamp_header", "id_header"),
            "[sources.slack]: signed has {timestamp}: say where it is",
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
fn each_kind_of_handler_has_its_own_settings() {
    let sql = format!(
        "{SOURCE}[handlers.books]\nkind = 'sql'\ntypes = ['*']\nfunction = 'shop.on_webhook'\n"
    );
    let pull = format!("{SOURCE}[handlers.stock]\nkind = 'pull'\ntypes = ['*']\n");
    let ordered = format!("{pull}ordered_by = '/a~1b'\non_dead = 'block'\n");
    let fed = format!("{SOURCE}[sources.fed]\nkind = 'sql'\n");
    let order = &Config::parse(&ordered).expect("an order").handlers[0]
        .policy
        .order;
    assert_eq!(
        order
            .as_ref()
            .map(|order| (order.by.to_string(), order.on_dead)),
        Some(("/a~1b".into(), OnDeadLetter::Block))
    );
    assert!(
        matches!(&Config::parse(&sql).expect("sql").handlers[0].kind, HandlerKind::Sql(f) if f == "shop.on_webhook")
    );
    let parsed = Config::parse(&fed).expect("fed by applications");
    assert_eq!(
        (parsed.sources.len(), parsed.sql_sources[0].0.as_str()),
        (1, "fed")
    );
    for (text, wrong) in [
        (
            sql.replace("function", "url"),
            "[handlers.books] url: the kind 'sql' has no such setting",
        ),
        (
            sql.replace("function = 'shop.on_webhook'", ""),
            "[handlers.books]: the kind 'sql' needs the setting function",
        ),
        (
            format!("{pull}timeout = '5s'\n"),
            "[handlers.stock] timeout: the kind 'pull' has no such setting",
        ),
        (
            HANDLER.replace("url = 'https://example.com/'", ""),
            "[handlers.shop]: the kind 'http' needs the setting url",
        ),
        (
            format!("{pull}on_dead = 'block'\n"),
            "[handlers.stock] on_dead: it applies to ordering keys",
        ),
        (
            format!("{pull}ordered_by = 'iccid'\n"),
            "[handlers.stock] ordered_by: 'iccid' is not a JSON pointer",
        ),
        (
            pull.replace("'pull'", "'push'"),
            "[handlers.stock]: unknown kind 'push'; known kinds are: http, sql, pull",
        ),
        (
            format!("{fed}secrets = ['env:S']\n"),
            "[sources.fed]: nothing is sent to a source of kind 'sql'",
        ),
        (
            format!("{fed}header = 'x'\n"),
            "[sources.fed] header: the kind 'sql' has no such setting",
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
            "[sources.airalo] api.opt_in: 'sms' is no type",
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

#[test]
fn a_handler_of_kind_airalo_needs_nothing_more() {
    let config =
        Config::parse(&format!("{SOURCE}[handlers.orders]\nkind = 'airalo'\n")).expect("as it is");
    assert_eq!(config.handlers[0].types[0].as_str(), "airalo.*");
    let error = Config::parse(&format!(
        "{SOURCE}[handlers.orders]\nkind = 'airalo'\nurl = 'x'\n"
    ))
    .expect_err("no url");
    assert!(
        error
            .to_string()
            .contains("[handlers.orders] url: the kind 'airalo' has no such setting"),
        "{error}"
    );
    let acme = sample_source("acme");
    let error = Config::parse(&format!(
        "{acme}\n[handlers.orders]\nkind = 'airalo'\nsources = ['acme']\n"
    ));
    let error = error.expect_err("no orders of others").to_string();
    assert!(
        error.contains("[sources.acme] is not of kind airalo"),
        "{error}"
    );
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
fn the_source_of_our_own_alerts_is_nobody_elses() {
    for kind in ["kind = 'sql'", "kind = 'airalo'\nsecrets = ['env:S']"] {
        let error = Config::parse(&format!("{SOURCE}[sources.hookfast]\n{kind}\n"))
            .expect_err("taken")
            .to_string();
        assert!(
            error.contains("[sources.hookfast]: this name is reserved for Hookfast's own events"),
            "{error}"
        );
    }
    let told = format!("{SOURCE}{HANDLER}sources = ['hookfast']\n");
    Config::parse(&told).expect("a handler may want only them");
}

#[test]
fn rate_breaker_and_filter_are_read() {
    let policy = |setting: &str| {
        let config = Config::parse(&format!("{SOURCE}{HANDLER}{setting}\n"));
        config
            .map(|config| config.handlers[0].policy.clone())
            .map_err(|error| error.to_string())
    };
    let all = policy("rate = 0.5\nbreaker = { after = 3, pause = '1s' }\nfilter = '$.a > 1'")
        .expect("policies");
    assert_eq!(all.rate, Rate::per_second(0.5).ok());
    let breaker = Breaker {
        after: 3,
        pause: Duration::from_secs(1),
        ..Breaker::default()
    };
    assert_eq!(
        (all.breaker, all.filter.expect("a filter").as_str()),
        (Some(breaker), "$.a > 1")
    );
    let without = policy("").expect("none");
    assert_eq!(
        (without.rate, without.breaker, without.filter),
        (None, None, None)
    );
    assert_eq!(
        policy("breaker = false").expect("off").breaker,
        Some(Breaker::never())
    );
    for (setting, wrong) in [
        (
            "rate = 0.0",
            "[handlers.shop] rate: a rate is 0.001 to 1000000",
        ),
        (
            "filter = ''",
            "[handlers.shop] filter: a payload filter is a jsonpath predicate",
        ),
        (
            "breaker = { after = 0 }",
            "[handlers.shop] breaker: a breaker opens after 1",
        ),
        (
            "breaker = { afer = 1 }",
            "a breaker is true, false, or a table with after, pause and max_pause",
        ),
    ] {
        let error = policy(setting).expect_err(wrong);
        assert!(error.contains(wrong), "{wrong} is not in:\n{error}");
    }
}

#[test]
fn connections_are_a_setting_of_transactional_handlers_and_concurrency_is_one_of_others() {
    let handler = |kind: &str, setting: &str| {
        let config = Config::parse(&format!(
            "{SOURCE}[handlers.shop]\ntypes = ['*']\n{kind}\n{setting}\n"
        ));
        config
            .map(|config| config.handlers[0].policy.connections.count())
            .map_err(|error| error.to_string())
    };
    for kind in ["kind = 'sql'\nfunction = 'a.b'", "kind = 'airalo'"] {
        assert_eq!(handler(kind, ""), Ok(4));
        assert_eq!(handler(kind, "connections = 100"), Ok(100));
        for number in [0, 101] {
            let wrong = format!(
                "[handlers.shop] connections: a handler has 1 to 100 connections, not {number}"
            );
            assert!(
                handler(kind, &format!("connections = {number}"))
                    .expect_err(&wrong)
                    .contains(&wrong)
            );
        }
        let wrong = "[handlers.shop] concurrency: the kind";
        assert!(
            handler(kind, "concurrency = 8")
                .expect_err(wrong)
                .contains(wrong)
        );
    }
    for kind in [
        "kind = 'http'\nurl = 'https://x.test'\nsecrets = ['env:S']",
        "kind = 'pull'",
    ] {
        let wrong = "[handlers.shop] connections: the kind";
        assert!(
            handler(kind, "connections = 8")
                .expect_err(wrong)
                .contains(wrong)
        );
    }
}

#[test]
fn policies_are_read() {
    let delays = format!("{SOURCE}{HANDLER}retry = {{ delays = ['1s', '2m'] }}\n");
    let config = Config::parse(&delays).expect("delays");
    assert_eq!(
        config.handlers[0].policy.retry.delay(2, 0.0),
        Duration::from_secs(120)
    );
    let growing = format!(
        "{SOURCE}{HANDLER}retry = {{ exponential = {{ base = '1s', max = '1h', max_attempts = 5 }} }}\n"
    );
    assert_eq!(
        Config::parse(&growing).expect("exponential").handlers[0]
            .policy
            .retry
            .max_attempts(),
        5
    );
    let none = format!(
        "{SOURCE}{HANDLER}retry = {{ exponential = {{ base = '1s', max = '1h', max_attempts = 0 }} }}\n"
    );
    assert!(
        Config::parse(&none)
            .expect_err("no try at all")
            .to_string()
            .contains("[handlers.shop] retry")
    );
    assert!(
        Config::without_file()
            .is_ok_and(|config| config.sources.len() == 1 && config.handlers.is_empty())
    );
}

proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _ = Config::parse(&text);
    }
}

#[test]
fn a_known_sender_in_place_of_a_kind_is_told_its_kind() {
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

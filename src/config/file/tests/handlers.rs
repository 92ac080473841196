//! Settings of handlers.

use super::{HANDLER, SOURCE, sample_source};
use crate::config::{Config, HandlerKind};
use crate::domain::{Breaker, OnDeadLetter, Rate};
use std::time::Duration;

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
            "[handlers.shop] breaker: a breaker opens after at least 1",
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
fn connections_are_for_transactional_handlers_and_concurrency_for_the_others() {
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
            .expect_err("no attempt at all")
            .to_string()
            .contains("[handlers.shop] retry")
    );
    assert!(
        Config::without_file()
            .is_ok_and(|config| config.sources.len() == 1 && config.handlers.is_empty())
    );
}

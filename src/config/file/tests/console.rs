//! `[console]` and `[console.proxy]`.

use crate::config::Config;
use std::net::IpAddr;

const PROXY: &str = "[console]\nroles = ['payments']\n[console.proxy]\nlisten = '127.0.0.1:8083'\n\
    addresses = ['127.0.0.1', '10.0.0.0/8']\nsecrets = ['env:PATH']\n\
    groups = [{ group = 'z', role = 'hookfast_operator' }, { group = 'a', role = 'payments' }]\n";

#[test]
fn the_groups_keep_their_order_and_the_headers_have_defaults() {
    let config = Config::parse(PROXY).expect("valid");
    let proxy = config.console_proxy.expect("a proxy");
    assert_eq!(proxy.listen.to_string(), "127.0.0.1:8083");
    let settings = proxy.settings().expect("PATH is long");
    let groups: Vec<_> = settings
        .groups
        .iter()
        .map(|(group, role)| format!("{group} {role}"))
        .collect();
    assert_eq!(groups, ["z hookfast_operator", "a payments"]);
    assert!(settings.is_proxy(IpAddr::from([10, 1, 2, 3])));
    assert_eq!(
        [
            settings.secret_header.as_str(),
            &settings.user_header,
            &settings.groups_header
        ],
        [
            "x-hookfast-proxy-secret",
            "x-auth-request-email",
            "x-auth-request-groups"
        ]
    );
    assert!(Config::parse("").expect("valid").console_proxy.is_none());
}

#[test]
fn proxy_settings_that_restrict_nothing_are_refused() {
    for (right, wrong, problem) in [
        (
            "['127.0.0.1', '10.0.0.0/8']",
            "[]",
            "[console.proxy] addresses: it needs at least one address",
        ),
        ("'10.0.0.0/8'", "'0.0.0.0/0'", "is every address"),
        ("'10.0.0.0/8'", "'10.0.0.1/8'", "write 10.0.0.0/8"),
        (
            "['env:PATH']",
            "['canary-literal']",
            "[console.proxy] secrets: a secret must be a reference",
        ),
        ("['env:PATH']", "[]", "it needs at least one secret"),
        (
            "'payments' }]",
            "'postgres' }]",
            "the role 'postgres' is not allowed; the allowed roles are hookfast_operator, hookfast_reader, hookfast_support, payments",
        ),
        (
            "'payments' }]",
            "'hookfast_console' }]",
            "'hookfast_console' is not allowed",
        ),
        ("group = 'a'", "group = 'z'", "'z' is listed twice"),
        (
            "group = 'a'",
            "group = 'a,b'",
            "'a,b' is not the name of a group",
        ),
        ("group = 'a'", "group = ''", "'' is not the name of a group"),
        (
            "'127.0.0.1:8083'",
            "'localhost'",
            "'localhost' is not IP:PORT",
        ),
        (
            "secrets = [",
            "user_header = 'X-Auth-Request-Groups'\nsecrets = [",
            "three different headers",
        ),
        (
            "secrets = [",
            "user_header = 'Cookie'\nsecrets = [",
            "[console.proxy] user_header: 'Cookie' is a header that browsers send",
        ),
        (
            "secrets = [",
            "user_header = 'a b'\nsecrets = [",
            "'a b' is not the name of a header",
        ),
        ("secrets = ['env:PATH']", "", "missing field `secrets`"),
    ] {
        let text = PROXY.replace(right, wrong);
        assert_ne!(text, PROXY);
        let error = Config::parse(&text).expect_err(wrong).to_string();
        assert!(error.contains(problem), "{wrong}: {error}");
        assert!(!error.contains("canary"), "{error}");
    }
    let none = PROXY.split("groups = [").next().expect("a part");
    let error = Config::parse(&format!("{none}groups = []\n")).expect_err("no group");
    assert!(error.to_string().contains("nobody has a role by default"));
}

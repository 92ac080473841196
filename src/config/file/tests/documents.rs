//! The sample configuration and the tables of the documentation.

use super::{API, HANDLER, SOURCE, sample, uncommented};
use crate::config::Config;
use crate::domain::GrantedRole;

#[test]
fn the_sample_is_right_as_it_is_and_with_every_setting() {
    let plain = Config::parse(&sample()).expect("the sample as it is");
    assert_eq!((plain.sources.len(), plain.handlers.len()), (1, 1));
    let full = Config::parse(&uncommented()).expect("the sample with every setting");
    // The values that it shows as defaults are the defaults.
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
    for granted in GrantedRole::ALL {
        assert_eq!(
            full.roles.get(granted).cloned(),
            role(granted.default_name())
        );
    }
    let with_defaults =
        Config::parse(&format!("{SOURCE}{HANDLER}")).expect("a handler with its defaults");
    let shown = full
        .handlers
        .iter()
        .find(|handler| handler.name.as_str() == "shop")
        .expect("the first sample");
    let default = &with_defaults.handlers[0];
    // The same for the API.
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
    // serde knows the keys: its error about an unknown key lists all of them.
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

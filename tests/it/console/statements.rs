//! The SQL that each page shows returns the rows of the page, in psql, with the same role.

use super::{
    Site, Visitor, acts, form,
    psql::{Psql, Row, statements},
    run, text,
};
use std::collections::BTreeSet;

/// What the pages have to show.
const WORLD: &str = r#"
INSERT INTO hookfast_data.airalo_expected (source_id, request_id, description, placed_at, expected_by, check_at)
    SELECT s.id, r, 'order of ' || r, '2026-01-01 00:00:00.123456Z', now() - interval '34 minutes', now()
    FROM hookfast_data.sources s, unnest('{request-1,late-2}'::text[]) r WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_expected (source_id, description, placed_at, expected_by, check_at, unknown_why)
    SELECT s.id, 'lost order', now(), now() + interval '1 hour', now(), 'no response'
    FROM hookfast_data.sources s WHERE s.name = 'airalo';
SELECT order_arrived(n) FROM generate_series(1, 12) n;
SELECT delivered(12);
SELECT died(n, 'status 500: out of stock') FROM generate_series(1, 3) n;
SELECT died(n, 'connection refused', 'crm') FROM generate_series(4, 5) n;
SELECT pending(n), pending(n + 3, now() + interval '1 hour', 'crm') FROM generate_series(6, 8) n;
INSERT INTO hookfast_data.airalo_orders (source_id, request_id, description, state, rank, quantity, event_id, received_at, conflicts)
    SELECT s.id, 'done-1', 'done order', 'completed', 3, 1, event_of(1), now() - interval '1 hour', ARRAY[event_of(2)]
    FROM hookfast_data.sources s WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_sims (source_id, iccid, order_row, conflict, lpa, event_id, received_at)
    SELECT o.source_id, '8944000000000000017', o.id, false, 'LPA', event_of(1), now() FROM hookfast_data.airalo_orders o;
INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body)
    SELECT s.id, sha256(convert_to(n::text, 'UTF8')), 'wrong_signature', '{"content-type": "a/b"}', convert_to('{}', 'UTF8')
    FROM hookfast_data.sources s, generate_series(1, 3) n WHERE s.name = 'airalo';
INSERT INTO hookfast_data.rollups (minute, subject, counter, value)
    SELECT date_trunc('minute', now()), 'source:airalo', c, 7 FROM unnest('{stored,duplicate,wrong_signature}'::text[]) c;
SELECT hookfast_data.alert_dead_letters(10);
SELECT hookfast.pause_handler('crm', 'release 41');
SELECT hookfast_data.evaluate_alerts();
"#;

/// What is before each key on a page; and the view and the column that have the keys.
type Keys = (&'static str, &'static str, &'static str);

const PAGES: [(&str, &[Keys]); 24] = [
    (
        "/",
        &[
            ("<tr id=\"handler-", "handler_health", "handler"),
            ("<tr id=\"source-", "source_health", "source"),
            ("data-label=\"Change\">", "audit_log", "action"),
        ],
    ),
    (
        "/find?q=request-1",
        &[
            (
                "data-label=\"Type\"><a href=\"/events/",
                "events",
                "event_id",
            ),
            ("href=\"/orders/airalo/", "airalo_orders", "request_id"),
        ],
    ),
    (
        "/orders",
        &[("href=\"/orders/airalo/", "airalo_orders", "request_id")],
    ),
    (
        "/orders?state=all&within=all",
        &[("href=\"/orders/airalo/", "airalo_orders", "request_id")],
    ),
    (
        "/orders?q=8944000000000000017",
        &[("href=\"/orders/airalo/", "airalo_orders", "request_id")],
    ),
    (
        "/orders/airalo/done-1",
        &[
            ("<span class=\"mono\" title=\"8944", "airalo_sims", "iccid"),
            (
                "data-label=\"Result\"><a href=\"/events/",
                "events",
                "event_id",
            ),
        ],
    ),
    (
        "/orders/airalo?description=lost+order",
        &[("<h1><bdi>", "airalo_orders", "description")],
    ),
    (
        "/events?window=all",
        &[(
            "data-label=\"Type\"><a href=\"/events/",
            "events",
            "event_id",
        )],
    ),
    (
        "/events?source=airalo&type=airalo.order.*&after=2026-01-01",
        &[(
            "data-label=\"Type\"><a href=\"/events/",
            "events",
            "event_id",
        )],
    ),
    (
        "/events/EVENT",
        &[
            (
                "data-label=\"Delivery\"><span class=\"id\"><span class=\"mono\" title=\"",
                "deliveries",
                "delivery_id",
            ),
            ("data-label=\"Attempt\">", "attempts", "attempt_number"),
        ],
    ),
    (
        "/handlers",
        &[("<a href=\"/dead?handler=", "handler_health", "handler")],
    ),
    (
        "/handlers/shop",
        &[("<tr id=\"delivery-", "pending_deliveries", "delivery_id")],
    ),
    (
        "/handlers/shop?state=delivered",
        &[("<tr id=\"delivery-", "attempts", "delivery_id")],
    ),
    (
        "/handlers/shop?state=dead",
        &[("<tr id=\"delivery-", "dead_letters", "delivery_id")],
    ),
    (
        "/dead",
        &[("<tr id=\"delivery-", "dead_letters", "delivery_id")],
    ),
    (
        "/dead?handler=shop&error=status%25&after=2026-01-01&before=2100-01-01+10:00",
        &[("<tr id=\"delivery-", "dead_letters", "delivery_id")],
    ),
    (
        "/alerts",
        &[(
            "<section class=\"section\" id=\"alert-",
            "alerts",
            "event_id",
        )],
    ),
    (
        "/alerts?state=all&window=24h",
        &[(
            "<section class=\"section\" id=\"alert-",
            "alerts",
            "event_id",
        )],
    ),
    (
        "/alerts/ALERT",
        &[(
            "<dt>Alert</dt><dd><span class=\"id\"><a class=\"mono\" href=\"/alerts/",
            "alerts",
            "event_id",
        )],
    ),
    (
        "/sources",
        &[("<a href=\"/sources/", "source_health", "source")],
    ),
    (
        "/sources/airalo",
        &[("<a href=\"/quarantine/", "quarantine", "quarantine_id")],
    ),
    (
        "/quarantine/QUARANTINED",
        &[("<h1>Quarantined request ", "quarantine", "quarantine_id")],
    ),
    (
        "/act/retry_all?handler=shop",
        &[(
            "data-label=\"Delivery\" class=\"line\"><span class=\"id\"><span class=\"mono\" title=\"",
            "dead_letters",
            "delivery_id",
        )],
    ),
    ("/access", &[("<tr id=\"access-", "access", "access_id")]),
];

/// What follows a text on the page, up to the next quotation mark or tag.
fn keys(page: &str, before: &str) -> BTreeSet<String> {
    let main = page.split("<main").nth(1).expect("the page");
    let found = main.split(before).skip(1);
    found
        .filter_map(|rest| rest.split(['"', '<', '?', '#']).next())
        .map(|key| key.trim().to_owned())
        .collect()
}

/// The values of a column in the statements that read a view.
fn selected(
    statements: &[String],
    rows: &[Vec<Row>],
    view: &str,
    column: &str,
) -> BTreeSet<String> {
    let from = format!("FROM hookfast.{view} ");
    let of_view = statements.iter().zip(rows);
    of_view
        .filter(|(statement, _)| statement.contains(&from))
        .flat_map(|(_, rows)| rows)
        .filter_map(|row| row.get(column).cloned())
        .filter(|value| !value.is_empty())
        .collect()
}

/// What of a page is wrong.
async fn compare(psql: &Psql<'_>, visitor: &Visitor<'_>, path: &str, all: &[Keys]) -> Vec<String> {
    let page = visitor.get(path).await;
    assert_eq!(page.status, 200, "{path}");
    let page = text(&page);
    let shown = statements(&page, "id=\"sql\"");
    let role = psql.role;
    let rows = match psql.rows(&shown).await {
        Ok(rows) => rows,
        Err(error) => return vec![format!("{role} {path}: {error}")],
    };
    let mut wrong = Vec::new();
    for &(before, view, column) in all {
        let seen = keys(&page, before);
        let mut expected = selected(&shown, &rows, view, column);
        match (path, view) {
            // These lists leave out the source of the alerts.
            ("/" | "/sources", "source_health") => drop(expected.remove("hookfast")),
            // The beginning of an ICCID is left out.
            ("/orders/airalo/done-1", "airalo_sims") => {
                expected = expected.iter().map(|iccid| iccid[4..].to_owned()).collect();
            }
            // The order itself, and its other results.
            ("/orders/airalo/done-1", "events") => {
                expected.extend(selected(&shown, &rows, "airalo_orders", column));
            }
            _ => {}
        }
        if seen.is_empty() || seen != expected {
            wrong.push(format!(
                "{role} {path}: {view}.{column}\n  page {seen:?}\n  psql {expected:?}"
            ));
        }
    }
    wrong
}

/// Their time zone and the form of their dates are not those of the console.
const ELSEWHERE: &str =
    "-c timezone=Asia/Kolkata -c datestyle=SQL,DMY -c hookfast.mask_payloads=on";

#[tokio::test(flavor = "multi_thread")]
async fn the_statements_of_each_page_return_its_rows_in_psql() {
    let site = Site::new().await;
    run(&site, WORLD.to_owned()).await;
    let event = site.text("(SELECT event_of(1)::text)").await;
    let quarantined = site
        .text("(SELECT max(quarantine_id) FROM hookfast.quarantine)")
        .await;
    let alert = site
        .text("(SELECT max(event_id::text) FROM hookfast.alerts)")
        .await;
    let mut wrong = Vec::new();
    for (name, role) in [
        ("ron", &site.reader),
        ("sue", &site.support),
        ("mira", &site.operator),
    ] {
        let person = site.person(name, role).await;
        let visitor = site.log_in(&person).await;
        let psql = Psql {
            site: &site,
            person: &person,
            role,
            settings: ELSEWHERE,
        };
        for (path, all) in PAGES {
            let path = path
                .replace("EVENT", &event)
                .replace("ALERT", &alert)
                .replace("QUARANTINED", &quarantined);
            // Readers see no errors, so nothing matches a filter by the error; and they do not act.
            let is_operators = path.contains("error=") || path.starts_with("/act/");
            if is_operators && *role != site.operator {
                continue;
            }
            // Readers see only their own access, and with SET ROLE they are the role.
            let psql = Psql {
                role: if path == "/access" { "none" } else { role },
                ..psql
            };
            wrong.extend(compare(&psql, &visitor, &path, all).await);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Pages without rows, and the page of proof, which has a test of its own.
const WITHOUT: [&str; 7] = [
    "/assets/{hash}/{name}",
    "/design",
    "/done/{function}",
    "/events/{id}/body",
    "/login",
    "/logout",
    "/quarantine/{id}/body",
];

#[test]
fn the_statements_of_every_page_are_run() {
    let routes = include_str!("../../../src/console/mod.rs")
        .split(".route(\"")
        .skip(1);
    let routes: BTreeSet<_> = routes.filter_map(|rest| rest.split('"').next()).collect();
    assert!(routes.len() > 20, "{routes:?}");
    let is_page = |route: &str, path: &str| {
        let path = path.split('?').next().unwrap_or_default();
        let (route, path) = (route.split('/'), path.split('/'));
        let same = |(part, name): (&str, &str)| part.starts_with('{') || part == name;
        route.clone().count() == path.clone().count() && route.zip(path).all(same)
    };
    for route in routes {
        let is_run = PAGES.iter().any(|(path, _)| is_page(route, path));
        assert_ne!(is_run, WITHOUT.contains(&route), "{route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statements_of_previews_and_proofs_run_in_psql() {
    let site = acts::site().await;
    let arguments = acts::arguments(&site).await;
    let person = site.person("mira", &site.operator).await;
    let operator = site.log_in(&person).await;
    let psql = Psql {
        site: &site,
        person: &person,
        role: &site.operator,
        settings: ELSEWHERE,
    };
    let mut wrong = Vec::new();
    for act in [
        "retry",
        "reschedule",
        "retry_all",
        "replay",
        "replay_all",
        "pause_handler",
        "hold_event",
        "mute_alert",
        "approve_quarantined",
        "reverify_quarantined",
        "airalo_check_order",
    ] {
        let fields = acts::fields(&arguments[act]);
        let preview = format!("/act/{act}?{}", form(&fields));
        wrong.extend(compare(&psql, &operator, &preview, &[]).await);
        let answer = operator.post(&format!("/act/{act}"), &fields).await;
        assert_eq!(answer.status, 303, "{act}: {}", text(&answer));
        let proof = answer.header("location").expect("a page");
        let action = ("<dt>Action</dt><dd>", "audit_log", "action");
        wrong.extend(compare(&psql, &operator, proof, &[action]).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn times_in_statements_mean_the_same_in_every_zone() {
    let site = Site::new().await;
    run(&site, WORLD.to_owned()).await;
    let person = site.person("mira", &site.operator).await;
    let visitor = site.log_in(&person).await;
    let mut answers = BTreeSet::new();
    let page = text(&visitor.get("/sources/airalo").await);
    let shown = statements(&page, "id=\"sql\"");
    let counts = shown.iter().find(|text| text.contains("date_trunc"));
    let counts = counts.expect("the statement of the hours");
    for zone in ["UTC", "Asia/Kolkata", "America/St_Johns"] {
        let psql = Psql {
            site: &site,
            person: &person,
            role: &site.operator,
            settings: &format!("-c timezone={zone}"),
        };
        let hours = format!(
            "SELECT extract(epoch FROM x.hour) AS hour FROM ({}) x;",
            counts.trim_end_matches(';')
        );
        answers.insert(psql.rows(&[hours]).await.expect("the hours"));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
}

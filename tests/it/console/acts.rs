//! Acts: who may do them, what they change, and what the pages say.

use super::{Site, asks_to_log_in, hidden, run, text};
use crate::support::{
    tcp_proxy::TcpProxy,
    world::{Handler, World},
};
use hookfast::internals::store::catalog::{Caller, Function, functions};
use std::collections::HashMap;

/// Orders, dead letters, a pending delivery, quarantined requests, a hold, an expected order and a
/// replay, so that every act has something to change.
const WORLD: &str = r#"
SELECT order_arrived(n) FROM generate_series(1, 9) n;
SELECT died(n) FROM generate_series(1, 5) n;
SELECT pending(6, now() + interval '1 hour'), pending(7, now() + interval '1 hour', 'crm');
INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version) VALUES ('later', 'pull', '{x}', 1, 1);
SELECT pending(9, NULL, 'later');
INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body)
    SELECT s.id, sha256(convert_to(n::text, 'UTF8')), CASE WHEN n < 3 THEN 'wrong_signature' ELSE 'stale_signature' END,
    '{"x": "y"}', '{}' FROM hookfast_data.sources s, generate_series(1, 4) n WHERE s.name = 'airalo';
SELECT hookfast.hold_event(event_of(1), 'a dispute');
SELECT hookfast.airalo_expect_order('not-yet-1', 'order 1', source => 'airalo'), hookfast.airalo_expect_order('not-yet-2', 'order 2', source => 'airalo');
SELECT hookfast.replay_all('crm', source => 'airalo', why => 'test', at_most => 100);
INSERT INTO hookfast_data.events (id, source_id, subscription_version, received_at, type, origin, idempotency_key, conflicts_with, headers, body)
    SELECT hookfast_data.new_event_id(), s.id, 1, now(), 'airalo.order.completed.conflict', 'webhook', 'k#conflict:x', event_of(8), '{}', '{}'
    FROM hookfast_data.sources s WHERE s.name = 'airalo';
UPDATE hookfast_data.handlers SET paused_at = now(), paused_why = 'a test' WHERE name = 'later';
SELECT hookfast_data.evaluate_alerts();
UPDATE hookfast_data.handlers SET paused_at = NULL, paused_why = NULL WHERE name = 'later';
"#;

pub(super) async fn site() -> Site {
    let site = Site::new().await;
    run(&site, WORLD.to_owned()).await;
    site
}

/// Arguments with which each function changes something in this world. What has to be typed is the
/// last.
pub(super) async fn arguments(site: &Site) -> HashMap<&'static str, Vec<(&'static str, String)>> {
    let event = |n: i32| format!("(SELECT event_of({n}))");
    let (first, third, eighth) = (
        site.text(&event(1)).await,
        site.text(&event(3)).await,
        site.text(&event(8)).await,
    );
    let alert = "(SELECT event_id FROM hookfast.alerts WHERE is_open)";
    let alert = site.text(alert).await;
    let quarantined = site
        .text("(SELECT min(quarantine_id) FROM hookfast.quarantine)")
        .await;
    let replay = site
        .text("(SELECT max(replay_id) FROM hookfast.replays)")
        .await;
    let word = str::to_owned;
    let at_most = || ("at_most", word("50"));
    let typed = |text: &str| ("typed", word(text));
    HashMap::from([
        ("acknowledge_conflict", vec![("event_id", eighth)]),
        (
            "acknowledge_conflicts",
            vec![("source", word("airalo")), at_most()],
        ),
        ("airalo_check_order", vec![("description", word("order 1"))]),
        (
            "airalo_forget_order",
            vec![("description", word("order 2")), typed("order 2")],
        ),
        (
            "approve_quarantined",
            vec![("quarantine_id", quarantined.clone()), typed(&quarantined)],
        ),
        (
            "cancel_replay",
            vec![("replay_id", replay.clone()), typed(&replay)],
        ),
        (
            "discard",
            vec![("delivery_id", word("1002")), typed("1002")],
        ),
        (
            "discard_all",
            vec![("handler", word("shop")), at_most(), typed("50")],
        ),
        (
            "discard_quarantined",
            vec![("reason", word("stale_signature")), at_most(), typed("50")],
        ),
        ("erase", vec![("event_id", third.clone()), typed(&third)]),
        (
            "erase_all",
            vec![("source", word("airalo")), at_most(), typed("50")],
        ),
        ("hold_event", vec![("event_id", third.clone())]),
        ("mute_alert", vec![("event_id", alert.clone())]),
        ("unmute_alert", vec![("event_id", alert)]),
        ("pause_all_handlers", vec![typed("pause all")]),
        ("pause_handler", vec![("handler", word("shop"))]),
        ("pause_replay", vec![("replay_id", replay.clone())]),
        ("reindex", vec![("source", word("airalo"))]),
        (
            "replay",
            vec![("event_id", first.clone()), ("handler", word("shop"))],
        ),
        ("replay_all", vec![("handler", word("shop")), at_most()]),
        (
            "reschedule",
            vec![("delivery_id", word("1006")), ("due_at", word("now"))],
        ),
        (
            "reschedule_all",
            vec![("handler", word("crm")), ("due_at", word("+2h")), at_most()],
        ),
        ("resume_all_handlers", vec![]),
        ("resume_handler", vec![("handler", word("shop"))]),
        ("resume_replay", vec![("replay_id", replay)]),
        (
            "retire_handler",
            vec![("handler", word("later")), at_most(), typed("later")],
        ),
        ("retry", vec![("delivery_id", word("1001"))]),
        ("retry_all", vec![("handler", word("shop")), at_most()]),
        ("reveal", vec![("event_id", first.clone())]),
        (
            "reverify_quarantined",
            vec![("source", word("airalo")), at_most()],
        ),
        ("unhold_event", vec![("event_id", first)]),
    ])
}

/// Functions for support and operators.
fn acts() -> Vec<&'static Function> {
    let mut acts: Vec<_> = functions::ALL.to_vec();
    acts.retain(|function| function.caller.needs_reason());
    assert_eq!(acts.len(), 31);
    acts
}

pub(super) fn fields<'a>(of: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    let given = of.iter().map(|(name, value)| (*name, value.as_str()));
    given.chain([("why", "a test of acts")]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_posts_every_act_by_hand_changes_nothing() {
    let site = site().await;
    let arguments = arguments(&site).await;
    let reader = site.visitor("rita", &site.reader).await;
    let support = site.visitor("sam", &site.support).await;
    let before = site.fingerprint().await;
    for act in acts() {
        let path = format!("/act/{}", act.name);
        let of = fields(&arguments[act.name]);
        let answer = reader.post(&path, &of).await;
        assert_eq!(answer.status, 403, "{path}: {}", text(&answer));
        assert!(
            text(&answer).contains("permission denied for function"),
            "{path}"
        );
        if act.caller == Caller::Operator {
            let answer = support.post(&path, &of).await;
            assert_eq!(answer.status, 403, "support {path}");
        }
    }
    // What is no act of the console cannot be called through it, by nobody.
    for function in functions::ALL {
        if !matches!(
            function.caller,
            Caller::Support | Caller::Operator | Caller::Person
        ) || function.name == "console_ticket"
        {
            let path = format!("/act/{}", function.name);
            let answer = reader.post(&path, &[("why", "x")]).await;
            assert_eq!(answer.status, 404, "{path}");
            assert_eq!(reader.get(&path).await.status, 404, "{path}");
        }
    }
    assert_eq!(site.fingerprint().await, before);
    // Without a session the form comes back after the login, without the number.
    let nobody = super::Visitor {
        site: &site,
        cookie: "hookfast=x".to_owned(),
    };
    let answer = nobody
        .post("/act/retry_all", &fields(&arguments["retry_all"]))
        .await;
    assert!(asks_to_log_in(&answer));
    assert_eq!(
        answer.header("location"),
        Some("/login?next=%2Fact%2Fretry_all%3Fhandler%3Dshop%26why%3Da%2Btest%2Bof%2Bacts")
    );
    assert_eq!(site.fingerprint().await, before);
}

/// In an order in which each has something to change.
const ORDER: [&str; 31] = [
    "retry",
    "discard",
    "reschedule",
    "reschedule_all",
    "retry_all",
    "replay",
    "replay_all",
    "pause_replay",
    "resume_replay",
    "cancel_replay",
    "pause_handler",
    "resume_handler",
    "pause_all_handlers",
    "resume_all_handlers",
    "retire_handler",
    "reveal",
    "hold_event",
    "unhold_event",
    "erase",
    "erase_all",
    "mute_alert",
    "unmute_alert",
    "acknowledge_conflict",
    "acknowledge_conflicts",
    "approve_quarantined",
    "discard_quarantined",
    "reverify_quarantined",
    "airalo_check_order",
    "airalo_forget_order",
    "reindex",
    "discard_all",
];

/// Each act changes something, and the log has the login and the person.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_does_every_act_and_the_log_says_on_whose_behalf() {
    let site = site().await;
    let arguments = arguments(&site).await;
    let person = site.person("mira", &site.operator).await;
    let operator = site.log_in(&person).await;
    assert!(acts().iter().all(|act| ORDER.contains(&act.name)));
    for name in ORDER {
        match name {
            // Erasing needs an event that is neither held nor pending.
            "erase" | "erase_all" => {
                let free =
                    "DELETE FROM hookfast_data.retention_holds; DELETE FROM hookfast_data.outbox";
                run(&site, free.to_owned()).await;
            }
            "acknowledge_conflicts" => {
                let another = "UPDATE hookfast_data.events SET conflicts_with = event_of(1) WHERE id = event_of(2)";
                run(&site, another.to_owned()).await;
            }
            "discard_all" => run(&site, "SELECT died(8)".to_owned()).await,
            _ => {}
        }
        let newest = "(SELECT coalesce(max(log_id), 0) FROM hookfast.audit_log)";
        let newest = site.text(newest).await;
        let mut of = arguments[name].clone();
        if name == "discard_all" || name == "erase_all" || name == "discard_quarantined" {
            // The number that is typed is that of the form.
            assert_eq!(of.last().map(|(field, _)| *field), Some("typed"));
        }
        of.push(("form", name.to_owned()));
        let path = format!("/act/{name}");
        let page = operator
            .get(&format!("{path}?{}", super::form(&fields(&of))))
            .await;
        assert_eq!(page.status, 200, "{path}: {}", text(&page));
        assert!(
            text(&page).contains(&format!("action=\"{path}\"")),
            "{path}"
        );
        let answer = operator.post(&path, &fields(&of)).await;
        let shown = text(&answer);
        if name == "reveal" {
            assert_eq!(answer.status, 200, "{shown}");
            assert!(
                shown.contains("secret") && shown.contains("data.sims[0].lpa"),
                "{shown}"
            );
        } else {
            assert_eq!(answer.status, 303, "{path}: {shown}");
            let location = answer.header("location").expect("a page").to_owned();
            assert!(
                location.contains("&log=") || location.contains("?changed="),
                "{location}"
            );
            let done = operator.get(&location).await;
            assert_eq!(done.status, 200, "{location}");
            assert!(text(&done).contains(&person), "{location}");
            // The same form again gets the same answer and changes nothing.
            let logged = "(SELECT count(*) FROM hookfast.audit_log)";
            let before = site.text(logged).await;
            let again = operator.post(&path, &fields(&of)).await;
            assert_eq!(again.header("location"), Some(location.as_str()));
            assert_eq!(site.text(logged).await, before, "{path}");
        }
        let lines = format!(
            "(SELECT string_agg(DISTINCT concat_ws(' ', actor, on_behalf_of), ', ') FROM hookfast.audit_log \
                WHERE log_id > {newest} AND details->>'why' = 'a test of acts')"
        );
        let lines = site.text(&lines).await;
        assert_eq!(lines, format!("{} {person}", site.login), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_support_desk_replays_and_reveals_one_event() {
    let site = site().await;
    let arguments = arguments(&site).await;
    let support = site.visitor("sam", &site.support).await;
    for name in ["replay", "reveal", "airalo_check_order"] {
        let answer = support
            .post(&format!("/act/{name}"), &fields(&arguments[name]))
            .await;
        assert!(
            [200, 303].contains(&answer.status),
            "{name}: {}",
            text(&answer)
        );
    }
    let page = text(&support.get("/act/retry_all?handler=shop").await);
    assert!(page.contains("may not call hookfast.retry_all") && !page.contains("name=\"at_most\""));
}

/// The page is shown again, with what was wrong and what was typed, and nothing is changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_not_complete_is_shown_again() {
    let site = site().await;
    let operator = site.visitor("mira", &site.operator).await;
    let before = site.fingerprint().await;
    for (path, fields, status, expected) in [
        (
            "/act/retry_all",
            &[("handler", "shop"), ("at_most", "5"), ("why", " ")][..],
            422,
            "A reason is missing.",
        ),
        (
            "/act/retry_all",
            &[("handler", "shop"), ("why", "x")],
            422,
            "The number of the preview is missing.",
        ),
        (
            "/act/retry_all",
            &[("handler", "shop"), ("why", "kept"), ("at_most", "4")],
            409,
            "More match than the preview showed",
        ),
        (
            "/act/discard_all",
            &[("why", "kept"), ("at_most", "5"), ("typed", "4")],
            422,
            "was typed, and not 5.",
        ),
        (
            "/act/discard",
            &[("delivery_id", "1001"), ("why", "kept"), ("typed", "1002")],
            422,
            "was typed, and not 1001.",
        ),
        (
            "/act/retry",
            &[("delivery_id", "99"), ("why", "kept")],
            409,
            "is not a dead letter",
        ),
        (
            "/act/pause_handler",
            &[("handler", "nobody"), ("why", "kept")],
            404,
            "no handler is named nobody",
        ),
        (
            "/act/retry_all",
            &[("payload", "$.x =="), ("why", "kept"), ("at_most", "9")],
            422,
            "The database rejected this",
        ),
        (
            "/act/retry_all",
            &[
                ("died_after", "yesterdayish"),
                ("why", "kept"),
                ("at_most", "9"),
            ],
            422,
            "The database rejected this",
        ),
        (
            "/act/reveal",
            &[("event_id", "7"), ("why", "kept")],
            422,
            "is not the id of an event",
        ),
        (
            "/act/erase_all",
            &[("why", "kept"), ("at_most", "9"), ("typed", "9")],
            422,
            "No filter was given",
        ),
    ] {
        let answer = operator.post(path, fields).await;
        let page = text(&answer);
        assert_eq!(answer.status, status, "{path} {fields:?}");
        assert!(
            page.to_lowercase().contains(&expected.to_lowercase()),
            "{path} {fields:?}: {page}"
        );
        if expected.starts_with("More match") {
            assert_eq!(hidden(&page, "at_most").as_deref(), Some("5"));
            assert!(page.contains("\nkept</textarea>"), "the reason stays");
        }
    }
    let large = "x".repeat(65 * 1024);
    let answer = operator
        .post("/act/retry", &[("delivery_id", "1001"), ("why", &large)])
        .await;
    assert_eq!(answer.status, 413);
    assert_eq!(site.fingerprint().await, before);
}

/// What dies after the preview is left out, so that the number still holds.
#[tokio::test(flavor = "multi_thread")]
async fn an_act_is_bounded_to_what_the_preview_showed() {
    let site = site().await;
    let operator = site.visitor("mira", &site.operator).await;
    let page = text(
        &operator
            .get("/act/retry_all?handler=shop&error=status+5%25")
            .await,
    );
    let field = |name| hidden(&page, name).expect(name);
    let (at_most, until, form) = (field("at_most"), field("until"), field("form"));
    assert_eq!(at_most, "5");
    assert!(
        page.contains("at_most =&#62; (&#39;5&#39;::bigint)"),
        "{page}"
    );
    run(&site, "SELECT died(8)".to_owned()).await;
    let fields = [
        ("handler", "shop"),
        ("error", "status 5%"),
        ("at_most", at_most.as_str()),
        ("until", until.as_str()),
        ("form", form.as_str()),
        ("why", "the shop is back"),
    ];
    let answer = operator.post("/act/retry_all", &fields).await;
    assert_eq!(answer.status, 303, "{}", text(&answer));
    let done = text(
        &operator
            .get(answer.header("location").expect("a page"))
            .await,
    );
    assert!(done.contains("5 dead letters retried."), "{done}");
    assert!(done.contains("States of the 5 deliveries:") && done.contains("data-refresh=\"2\""));
    let left = "(SELECT string_agg(delivery_id::text, ',') FROM hookfast.dead_letters)";
    assert_eq!(site.text(left).await, "1008");
    // They are delivered, and one is dead again.
    run(
        &site,
        "DELETE FROM hookfast_data.outbox WHERE id BETWEEN 1001 AND 1005; SELECT died(1); \
         INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome) \
            SELECT event_of(n), 1000 + n, 4, h.id, 'delivered' FROM hookfast_data.handlers h, generate_series(2, 5) n WHERE h.name = 'shop'"
            .replace("SELECT died(1);", "INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason, last_error) \
            SELECT 1001, h.id, event_of(1), 4, 0, 'attempts_exhausted', 'oh' FROM hookfast_data.handlers h WHERE h.name = 'shop';"),
    )
    .await;
    let done = text(
        &operator
            .get(answer.header("location").expect("a page"))
            .await,
    );
    let tally = |count: &str, word: &str| {
        let marked = format!("<b class=\"num\">{count}</b>");
        done.split(&marked)
            .skip(1)
            .any(|rest| rest.get(..60).unwrap_or(rest).contains(word))
    };
    assert!(tally("4", "delivered") && tally("1", "dead"), "{done}");
    assert!(!done.contains("data-refresh"), "nothing is pending");
}

/// The page says that it is not known, and the statement shows that it was done.
#[tokio::test(flavor = "multi_thread")]
async fn an_act_whose_commit_is_not_answered_is_not_called_a_failure() {
    let shop = Handler::new("shop", "http", "{*}");
    let world = World::builder().handlers([shop]).build().await;
    let proxy = TcpProxy::start(world.url()).await;
    let site = Site::behind(&proxy, world).await;
    let operator = site.visitor("mira", &site.operator).await;
    assert_eq!(operator.get("/access").await.status, 200);
    let broken = proxy.lose_answer_to(b"COMMIT");
    let fields = [("handler", "shop"), ("why", "deploying"), ("form", "f")];
    let answer = operator.post("/act/pause_handler", &fields).await;
    broken.await.expect("the answer is lost");
    let page = text(&answer);
    assert_eq!(answer.status, 500, "{page}");
    assert!(
        page.contains("It is not known whether this was done"),
        "{page}"
    );
    let shown = page.split_once("<pre>SELECT * FROM hookfast.audit_log");
    let (_, statement) = shown.expect("a statement to check");
    let (statement, _) = statement.split_once(";</pre>").expect("its end");
    let statement = statement.replace("&#39;", "'").replace("&#62;", ">");
    let found = format!("(SELECT count(*) FROM (SELECT * FROM hookfast.audit_log{statement}) x)");
    assert_eq!(site.text(&found).await, "1", "{statement}");
}

/// What a person writes is a value, whatever it looks like.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_are_values() {
    let site = site().await;
    let operator = site.visitor("mira", &site.operator).await;
    let owner = site.text("current_user").await;
    let why = format!(
        "'); SELECT set_config('role', '{owner}', false); -- $1 <script>alert(1)</script> \\ \u{202e}"
    );
    let answer = operator
        .post("/act/pause_handler", &[("handler", "shop"), ("why", &why)])
        .await;
    assert_eq!(answer.status, 303, "{}", text(&answer));
    let logged = "(SELECT details->>'why' FROM hookfast.audit_log WHERE action = 'handler.paused')";
    assert_eq!(site.text(logged).await, why);
    for (name, value) in [
        ("handler", why.as_str()),
        ("type", &why),
        ("error", &why),
        ("payload", &why),
        ("died_after", &why),
        ("max_attempts", &why),
        ("why", &why),
    ] {
        let query = super::form(&[(name, value)]);
        let page = operator.get(&format!("/act/retry_all?{query}")).await;
        assert!(
            [200, 404, 422].contains(&page.status),
            "{name}: {}",
            page.status
        );
        assert!(!text(&page).contains("<script>alert"), "{name}");
    }
    let done = operator
        .get(answer.header("location").expect("a page"))
        .await;
    assert!(!text(&done).contains("<script>alert"));
}

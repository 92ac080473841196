//! Lists: tables and JSON, filters and pages.

use super::Story;

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_lists_are_tables_and_json_with_a_text_if_empty() {
    let story = Story::new().await;
    for (noun, title, rows) in [
        ("events", "event id", 3),
        ("deliveries", "delivery id", 3),
        ("dead-letters", "delivery id", 2),
        ("quarantine", "quarantine id", 3),
        ("handlers", "handler", 2),
    ] {
        for arguments in [vec![noun], vec![noun, "list"]] {
            let table = story.run(&arguments).ok().contains(&[title]);
            assert_eq!(table.out.lines().count(), rows + 1, "{}", table.out);
            assert!(
                !table.out.contains('…'),
                "a pipe gets the whole text: {}",
                table.out
            );
            let json = story.run(&[&arguments[..], &["--json"]].concat()).ok();
            assert_eq!(json.rows().len(), rows, "{}", json.out);
        }
    }
    story.run(&["sources"]).ok().contains(&["airalo", "ok"]);
    assert!(
        story
            .run(&["sources", "--json"])
            .ok()
            .rows()
            .iter()
            .any(|row| row["source"] == "airalo")
    );
    story
        .run(&["storage"])
        .ok()
        .contains(&["outbox", "newest day"]);
    assert!(
        story
            .run(&["storage", "--json"])
            .ok()
            .rows()
            .iter()
            .any(|row| row["table"] == "events")
    );
    story
        .run(&["retention"])
        .ok()
        .contains(&["events", "90 days", "forever"]);
    assert!(
        !story
            .run(&["retention", "--json"])
            .ok()
            .out
            .contains("forever"),
        "JSON contains the rows of the view"
    );
    story
        .run(&["backlog"])
        .ok()
        .contains(&["oldest ready age", "shop", "mail"]);
    assert_eq!(
        story
            .run(&["backlog", "--handler", "shop", "--json"])
            .ok()
            .rows()[0]["ready"],
        1
    );
    story
        .run(&["retention", "--json"])
        .ok()
        .contains(&["\"class\":\"events\""]);
    let preview = story.run(&["retention", "--preview", "--json"]).ok().rows();
    assert!(
        preview.iter().any(|row| row["class"] == "keys")
            && preview.iter().all(|row| row["rows"] == 0),
        "{preview:?}"
    );
    story.run(&["retention", "--preview"]).ok();
    for (noun, words) in [
        ("conflicts", "no conflicts"),
        ("workers", "no workers"),
        ("alerts", "no alerts"),
        ("audit", "the audit log is empty"),
        ("replays", "no replays"),
    ] {
        for form in [&[noun][..], &[noun, "--json"]] {
            assert_eq!(story.run(form).ok().complains(&[words]).out, "", "{noun}");
        }
    }
    story
        .run(&["dead-letters", "--handler", "mail"])
        .ok()
        .complains(&["no dead letters"]);

    story
        .execute(
            "INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) SELECT 'worker', 'host:1', array_agg(id), now() + interval '1 h' FROM hookfast_data.handlers; \
             INSERT INTO hookfast_data.processes (owner, roles, version) VALUES ('host:1', '{ingress,worker}', '0.1.0'); \
             SELECT hookfast_data.raise_alert('hookfast.handler.paused', 'k', '{\"handler\": \"shop\"}'); \
             WITH made AS (INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, conflicts_with, headers, body) \
                SELECT hookfast_data.new_event_id(), e.source_id, 0, e.type || '.conflict', 'webhook', e.idempotency_key || '#conflict:b', e.id, '{}', '{\"price\": 13}' \
                FROM hookfast_data.events e WHERE e.idempotency_key = 'order-1' RETURNING id, source_id, idempotency_key) \
             INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) SELECT source_id, idempotency_key, id FROM made",
        )
        .await;
    story
        .run(&["workers"])
        .ok()
        .contains(&["host:1", "mail,shop", "processes", "ingress,worker"]);
    story
        .run(&["workers", "--json"])
        .ok()
        .contains(&["\"owner\":\"host:1\""]);
    story
        .run(&["alerts"])
        .ok()
        .contains(&["hookfast.handler.paused", "shop"]);
    story
        .run(&["alerts", "--json", "--type", "hookfast.*", "--after", "1h"])
        .ok()
        .contains(&["\"handler\":\"shop\""]);
    story.run(&["conflicts"]).ok().contains(&[
        &story.event("order-1").await,
        &story.event("order-1#conflict:b").await,
    ]);
    story
        .run(&["conflicts", "--json", "--source", "airalo"])
        .ok()
        .contains(&["first_received_at"]);
    let acknowledge = [
        "conflicts",
        "acknowledge",
        "--all",
        "--source",
        "airalo",
        "--why",
        "a test",
    ];
    let second = story.event("order-1#conflict:b").await;
    story
        .run(&acknowledge)
        .failed()
        .complains(&["would acknowledge 1 conflict\n", &second]);
    let done = story
        .run(&[&acknowledge[..], &["--yes", "--json"]].concat())
        .ok()
        .rows();
    assert_eq!(done[0]["changed"], 1);
    story
        .run(&[&acknowledge[..], &["--yes"]].concat())
        .ok()
        .complains(&["no conflicts match"]);
    for refused in [
        &["conflicts", "acknowledge", "--why", "a test"][..],
        &[
            "conflicts",
            "acknowledge",
            &second,
            "--all",
            "--why",
            "a test",
        ],
        &[
            "conflicts",
            "acknowledge",
            &second,
            "--source",
            "airalo",
            "--why",
            "a test",
        ],
    ] {
        assert_eq!(story.run(refused).code, 2, "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_filters_and_pages() {
    let story = Story::new().await;
    let rows = |arguments: &[&str]| {
        story
            .run(&[arguments, &["--json"]].concat())
            .ok()
            .rows()
            .len()
    };
    assert_eq!(rows(&["events", "--type", "airalo.order.completed"]), 2);
    assert_eq!(
        rows(&[
            "events",
            "list",
            "--type",
            "airalo.order.*",
            "--source",
            "airalo",
            "--after",
            "1h"
        ]),
        3
    );
    assert_eq!(rows(&["events", "--type", "airalo.ord.*"]), 0);
    let hint = "airalo.order.completed, airalo.order.failed";
    for (noun, wanted) in [("events", "order.*"), ("events", "stripe.*")] {
        story
            .run(&[noun, "--type", wanted])
            .ok()
            .complains(&["no events of type", "hint: ", hint]);
    }
    story
        .run(&["dead-letters", "--type", "completed"])
        .ok()
        .complains(&["hint: ", "airalo.order.completed"]);
    assert!(
        !story
            .run(&["events", "--before", "1h"])
            .ok()
            .err
            .contains("hint"),
        "no type was given"
    );
    assert_eq!(rows(&["events", "--before", "1h"]), 0);
    assert_eq!(
        rows(&[
            "events",
            "--after",
            "2020-01-01 12:00",
            "--before",
            "tomorrow"
        ]),
        3
    );
    assert_eq!(rows(&["events", "--source", "x' OR true --"]), 0);
    assert_eq!(rows(&["deliveries", "--state", "dead"]), 2);
    assert_eq!(rows(&["deliveries", "--state", "delivered,ready"]), 4);
    assert_eq!(
        rows(&["deliveries", "--state", "all", "--handler", "mail"]),
        3
    );
    let third = &*story.event("order-3").await;
    assert_eq!(rows(&["deliveries", "list", "--event", third]), 2);
    assert_eq!(
        rows(&[
            "dead-letters",
            "--error",
            "status 5%",
            "--type",
            "airalo.*",
            "--after",
            "1h"
        ]),
        2
    );
    assert_eq!(rows(&["dead-letters", "--before", "1h"]), 0);
    assert_eq!(
        rows(&[
            "quarantine",
            "--reason",
            "wrong_signature",
            "--source",
            "airalo",
            "--after",
            "1h"
        ]),
        3
    );

    let first = story
        .run(&["events", "list", "--limit", "2", "--source", "airalo"])
        .ok();
    assert_eq!(first.out.lines().count(), 3);
    let next = first
        .err
        .trim()
        .strip_prefix("next page: hookfast ")
        .expect("the next page")
        .to_owned();
    let second = story.run(&next.split(' ').collect::<Vec<_>>()).ok();
    assert!(
        second.out.contains(&story.event("order-1").await) && second.err.is_empty(),
        "{} {}",
        second.out,
        second.err
    );
    assert_eq!(second.out.lines().count(), 2);
    for noun in ["deliveries", "dead-letters", "quarantine"] {
        let mut arguments = vec![noun.to_owned(), "--limit=1".into(), "--json".into()];
        let mut seen = Vec::new();
        loop {
            let page = story
                .run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
                .ok();
            seen.extend(page.rows());
            let Some(next) = page.err.trim().strip_prefix("next page: hookfast ") else {
                break;
            };
            arguments = next.split(' ').map(str::to_owned).collect();
        }
        let all = story.run(&[noun, "--json"]).ok().rows();
        assert_eq!(seen, all, "{noun}");
    }
    story
        .run(&["deliveries", "--older-than", "x"])
        .failed()
        .complains(&["--older-than takes a number here"]);
    assert_eq!(story.run(&["deliveries", "--state", "lost"]).code, 2);
}

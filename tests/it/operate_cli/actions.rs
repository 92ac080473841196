//! Commands that change one row at once, and confirm before they change many.

use super::{Story, run};

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_changes_one_and_confirms_before_many() {
    let story = Story::new().await;
    let before = story.everything().await;
    for (arguments, words, sampled) in [
        (
            &[
                "dead-letters",
                "retry",
                "--all",
                "--error",
                "%stock",
                "--payload",
                "$.data.price > 10",
                "--why",
                "a test",
            ][..],
            "would retry 1 dead letter\n",
            "no stock",
        ),
        (
            &[
                "dead-letters",
                "discard",
                "--all",
                "--handler",
                "shop",
                "--why",
                "x",
            ],
            "would discard 2 dead letters",
            "900003",
        ),
        (
            &[
                "deliveries",
                "reschedule",
                "--all",
                "--handler",
                "shop",
                "--due-at",
                "2h",
                "--why",
                "a test",
            ],
            "would reschedule 1 delivery\n",
            "ready",
        ),
        (
            &["quarantine", "reverify", "--why", "a test"],
            "would reverify 3 requests",
            "wrong_signature",
        ),
        (
            &["quarantine", "discard", "--source", "airalo", "--why", "x"],
            "would discard 3 requests",
            "wrong_signature",
        ),
        (
            &["handlers", "pause-all", "--why", "x"],
            "would pause 2 handlers",
            "mail",
        ),
        (
            &[
                "replays",
                "start",
                "--handler",
                "mail",
                "--type",
                "airalo.order.completed",
                "--why",
                "x",
            ],
            "would replay 2 events",
            "order-2",
        ),
    ] {
        let ran =
            story
                .run(arguments)
                .failed()
                .complains(&[words, sampled, "not a terminal", "--yes"]);
        assert_eq!(ran.out, "");
    }
    assert_eq!(
        story.everything().await,
        before,
        "a preview changes nothing"
    );
    story
        .run(&[
            "dead-letters",
            "retry",
            "--all",
            "--handler",
            "mail",
            "--why",
            "a test",
        ])
        .ok()
        .complains(&["no dead letters match"]);
    story
        .run(&["handlers", "resume-all", "--why", "a test"])
        .ok()
        .complains(&["there is no handler to resume"]);

    let letters = story.run(&["dead-letters", "--json"]).ok().rows();
    let id = |n: usize| letters[n]["delivery_id"].to_string();
    story
        .run(&["dead-letters", "show", &id(0)])
        .ok()
        .contains(&["attempts_exhausted", "no stock", "attempts", "status 500"]);
    story
        .run(&["dead-letters", "show", &id(0), "--json"])
        .ok()
        .contains(&["\"reason\":\"attempts_exhausted\""]);
    story
        .run(&["dead-letters", "show", "1"])
        .failed()
        .complains(&["is not a dead letter", "hint: "]);
    story
        .run(&["dead-letters", "retry", "1", "--why", "a test"])
        .failed()
        .complains(&["is not a dead letter", "hint: It may be pending again"]);
    story
        .run(&[
            "dead-letters",
            "retry",
            &id(0),
            "--max-attempts",
            "5000",
            "--why",
            "a test",
        ])
        .failed()
        .complains(&["max_attempts 5000: it must be 1 to 1000"]);
    story
        .run(&[
            "dead-letters",
            "retry",
            &id(0),
            "--max-attempts",
            "5",
            "--why",
            "a test",
        ])
        .ok()
        .contains(&["is pending again"]);
    story
        .run(&[
            "deliveries",
            "reschedule",
            &id(0),
            "--due-at",
            "2h",
            "--why",
            "later",
        ])
        .ok()
        .contains(&["is rescheduled"]);
    assert_eq!(
        story
            .text("SELECT due_at - now() BETWEEN '119 min' AND '121 min' FROM hookfast_data.outbox WHERE id <> 7")
            .await,
        "true"
    );
    story
        .run(&[
            "deliveries",
            "discard",
            &id(0),
            "--why",
            "done by hand",
            "--json",
        ])
        .ok()
        .contains(&["{\"done\":"]);
    story
        .run(&[
            "deliveries",
            "reschedule",
            "1",
            "--due-at",
            "now",
            "--why",
            "a test",
        ])
        .failed()
        .complains(&["is not pending", "hint: "]);
    story
        .run(&[
            "deliveries",
            "reschedule",
            "7",
            "--due-at",
            "some day",
            "--why",
            "a test",
        ])
        .failed()
        .complains(&["some day"]);
    let many = [
        "deliveries",
        "reschedule",
        "--all",
        "--handler",
        "shop",
        "--type",
        "airalo.*",
        "--due-at",
        "2h",
        "--yes",
        "--why",
        "a test",
    ];
    story
        .run(&many)
        .ok()
        .contains(&["reschedule: 1 delivery\n"]);
    let retried = story
        .run(&[
            "dead-letters",
            "retry",
            "--all",
            "--yes",
            "--json",
            "--why",
            "a test",
        ])
        .ok();
    assert_eq!(retried.rows()[0]["changed"], 1, "{}", retried.out);
    story
        .run(&["dead-letters"])
        .ok()
        .complains(&["no dead letters"]);
    story
        .run(&["dead-letters", "discard", &id(1), "--why", "x"])
        .ok()
        .contains(&["is discarded"]);
    story
        .run(&["dead-letters", "discard", &id(1), "--why", "x"])
        .failed()
        .complains(&["neither pending nor a dead letter"]);
    assert_eq!(
        story
            .run(&["dead-letters", "retry", "--why", "a test"])
            .code,
        2,
        "one id, or --all"
    );
    assert_eq!(
        story
            .run(&["dead-letters", "retry", "1", "--all", "--why", "a test"])
            .code,
        2,
        "not both"
    );

    let requests = story.run(&["quarantine", "--json"]).ok().rows();
    let request = requests[0]["quarantine_id"].to_string();
    story
        .run(&["quarantine", "show", &request])
        .ok()
        .contains(&["wrong_signature", "{\"forged\": true}"]);
    story
        .run(&["quarantine", "show", &request, "--json"])
        .ok()
        .contains(&["\"body\":\"\\\\x"]);
    story
        .run(&["quarantine", "show", "999"])
        .failed()
        .complains(&["hint: "]);
    story
        .run(&["quarantine", "approve", &request, "--why", ""])
        .failed()
        .complains(&["why is empty"]);
    story
        .run(&["quarantine", "approve", &request, "--why", "they called"])
        .ok()
        .contains(&["is approved"]);
    story
        .run(&[
            "quarantine",
            "reverify",
            "--source",
            "none",
            "--why",
            "a test",
        ])
        .failed()
        .complains(&["no source is named none", "hint: "]);
    story
        .run(&[
            "quarantine",
            "reverify",
            "--after",
            "1h",
            "--yes",
            "--why",
            "a test",
        ])
        .ok()
        .complains(&[
            "2 requests not verified yet",
            "no process with the role ingress",
        ]);
    let answered = "UPDATE hookfast_data.quarantine SET requested_action = NULL, requested_by = NULL, last_result = 'wrong_signature'";
    story.execute(answered).await;
    story
        .run(&[
            "quarantine",
            "discard",
            "--reason",
            "wrong_signature",
            "--why",
            "x",
            "--yes",
            "--json",
        ])
        .ok()
        .contains(&["\"changed\":3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_shows_what_the_view_shows_and_nothing_else_of_a_row() {
    let story = Story::new().await;
    let discard = [
        "dead-letters",
        "discard",
        "--all",
        "--error",
        "%stock",
        "--why",
        "a test",
    ];
    story
        .run(&discard)
        .failed()
        .complains(&["would discard 2 dead letters", "900001", "no stock"]);
    let rita = story.database().login("rita", &[]).await;
    let role = "rita_of_' || current_database()";
    story
        .execute(&format!(
            "DO $$ BEGIN EXECUTE 'GRANT USAGE ON SCHEMA hookfast TO {role}; \
             EXECUTE 'GRANT SELECT ON hookfast.dead_letters TO {role}; \
             EXECUTE 'GRANT EXECUTE ON FUNCTION hookfast.discard_all TO {role}; END $$"
        ))
        .await;
    let masked = run(&rita, &discard)
        .failed()
        .complains(&["would discard 2 dead letters", "900001"]);
    assert!(!masked.err.contains("stock"), "{}", masked.err);
    let done = story
        .run(&[&discard[..], &["--yes", "--json"]].concat())
        .ok()
        .rows();
    assert_eq!(done[0]["changed"], 2);
    assert_eq!(
        done[0]["sample"][1]["last_error"], "status 500: no stock",
        "the rows as they were before: {done:?}"
    );
    assert!(done[0]["sample_ids"].is_null(), "{done:?}");
}

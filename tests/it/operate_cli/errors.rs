//! What the commands print if something is missing, wrong or not permitted.

use super::{Story, run};

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_errors_have_hints() {
    let story = Story::new().await;
    let missing = run("", &["events"]).failed();
    assert!(
        missing.err.contains("DATABASE_URL is not set"),
        "{}",
        missing.err
    );
    run("postgres://127.0.0.1:1/none", &["status"])
        .failed()
        .complains(&["cannot query the database"]);
    run("mysql://u@127.0.0.1/d", &["status"])
        .failed()
        .complains(&["begins with mysql:", "needs Postgres"]);
    let away = story.url().replace("/test_", "/no_such_database_");
    let refused = run(&away, &["status"]).failed();
    assert!(
        refused.err.contains("does not exist (SQLSTATE 3D000)"),
        "{}",
        refused.err
    );
    assert!(
        !refused.err.contains("at line"),
        "the server's source code is not shown: {}",
        refused.err
    );
    story
        .run(&["events", "--after", "some day"])
        .failed()
        .complains(&["some day"]);
    story
        .run(&["events", "--older-than", "x"])
        .failed()
        .complains(&["uuid"]);
    story
        .run(&[
            "dead-letters",
            "retry",
            "--all",
            "--payload",
            "$[",
            "--why",
            "a test",
        ])
        .failed()
        .complains(&["jsonpath"]);

    // As a role without any rights, and as one that may only read.
    let role = format!("cli_{}", story.text("SELECT current_database()").await);
    story.execute(&format!("CREATE ROLE {role} NOLOGIN")).await;
    let separator = if story.url().contains('?') { '&' } else { '?' };
    let limited = format!("{}{separator}options=-c%20role%3D{role}", story.url());
    run(&limited, &["events"])
        .failed()
        .complains(&["permission denied", "hookfast_reader"]);
    story
        .execute(&format!(
            "GRANT USAGE ON SCHEMA hookfast TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA hookfast TO {role}"
        ))
        .await;
    run(&limited, &["events"]).ok();
    let refused = run(&limited, &["handlers", "pause", "shop", "--why", "x"]).failed();
    assert!(
        refused
            .err
            .contains("this command requires hookfast_operator"),
        "{}",
        refused.err
    );
    story
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;

    story
        .execute("DROP FUNCTION hookfast.pause_all_handlers(text); DROP VIEW hookfast.alerts")
        .await;
    story
        .run(&["alerts"])
        .failed()
        .complains(&["run `hookfast migrate`"]);
    story
        .run(&["handlers", "pause-all", "--why", "x", "--yes"])
        .failed()
        .complains(&["run `hookfast migrate`"]);
}

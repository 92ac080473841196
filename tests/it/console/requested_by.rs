//! The columns that name who requested something name the person, in the console and in psql.

use super::acts::{arguments, fields, site};

/// The newest of each.
const NAMED: [(&str, &str); 7] = [
    (
        "hold_event",
        "SELECT held_by FROM hookfast.retention_holds ORDER BY held_at DESC LIMIT 1",
    ),
    (
        "replay",
        "SELECT requested_by FROM hookfast_data.replays ORDER BY id DESC LIMIT 1",
    ),
    (
        "replay_all",
        "SELECT requested_by FROM hookfast.replays ORDER BY replay_id DESC LIMIT 1",
    ),
    (
        "acknowledge_conflict",
        "SELECT acknowledged_by FROM hookfast.conflicts WHERE acknowledged_at IS NOT NULL",
    ),
    (
        "approve_quarantined",
        "SELECT requested_by FROM hookfast.quarantine WHERE requested_action = 'approve'",
    ),
    (
        "reverify_quarantined",
        "SELECT DISTINCT requested_by FROM hookfast.quarantine WHERE requested_action = 'reverify'",
    ),
    (
        "reindex",
        "SELECT requested_by FROM hookfast.reindexes WHERE source = 'airalo'",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_requested_in_the_console_names_the_person() {
    let site = site().await;
    let arguments = arguments(&site).await;
    let person = site.person("mira", &site.operator).await;
    let operator = site.log_in(&person).await;
    for (act, named) in NAMED {
        let answer = operator
            .post(&format!("/act/{act}"), &fields(&arguments[act]))
            .await;
        assert_eq!(answer.status, 303, "{act}: {}", super::text(&answer));
        assert_eq!(site.text(&format!("({named})")).await, person, "{act}");
    }
    let muted = operator
        .post("/act/mute_alert", &fields(&arguments["mute_alert"]))
        .await;
    assert_eq!(muted.status, 303);
    let muted_by = "(SELECT muted_by FROM hookfast.alerts WHERE muted_at IS NOT NULL)";
    assert_eq!(site.text(muted_by).await, person);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_requested_in_psql_names_the_login_or_the_role_that_was_set() {
    let site = site().await;
    let arguments = arguments(&site).await;
    let person = site.person("mira", &site.operator).await;
    for (role, expected) in [("none", &person), (&site.operator, &site.operator)] {
        for (act, named) in NAMED {
            let mut call: Vec<_> = arguments[act]
                .iter()
                .filter(|(name, _)| *name != "typed")
                .map(|(name, value)| format!("{name} => '{value}'"))
                .collect();
            call.push("why => 'a test'".to_owned());
            super::run(
                &site,
                "UPDATE hookfast_data.quarantine SET requested_action = NULL, requested_by = NULL; \
                 DELETE FROM hookfast_data.acknowledgements; DELETE FROM hookfast_data.retention_holds"
                    .to_owned(),
            )
            .await;
            let mut connection = site.connect_as(&person).await;
            let statement = format!(
                "SET ROLE {role}; SELECT hookfast.{act}({})",
                call.join(", ")
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(&mut connection)
                .await
                .expect(act);
            assert_eq!(site.text(&format!("({named})")).await, *expected, "{act}");
        }
    }
}

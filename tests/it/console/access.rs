//! A session ends with the next request after a right was taken away, and `/access`.

use super::{Site, asks_to_log_in, run, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_right() {
    let site = Site::new().await;
    for (name, ended) in [
        (
            "revoked",
            "SELECT hookfast.revoke_access(max(access_id), 'left the company') FROM hookfast.access WHERE person = '{person}'",
        ),
        ("expelled", "REVOKE \"{operator}\" FROM \"{person}\""),
        ("locked", "ALTER ROLE \"{person}\" NOLOGIN"),
        ("dropped", "DROP ROLE \"{person}\""),
        (
            "expired",
            "UPDATE hookfast_data.access SET expires_at = clock_timestamp() WHERE person_oid = '\"{person}\"'::regrole",
        ),
    ] {
        let person = site.person(name, &site.operator).await;
        let visitor = site.log_in(&person).await;
        assert_eq!(visitor.get("/access").await.status, 200, "{name}");
        let ended = ended
            .replace("{person}", &person)
            .replace("{operator}", &site.operator);
        run(&site, ended).await;
        let fields = [("handler", "shop"), ("why", "too late")];
        let posted = visitor.post("/act/pause_handler", &fields).await;
        assert!(asks_to_log_in(&posted), "{name}: {}", posted.head);
        assert!(asks_to_log_in(&visitor.get("/access").await), "{name}");
        // It does not come back with the right.
        if name == "expelled" {
            run(
                &site,
                format!("GRANT \"{}\" TO \"{person}\"", site.operator),
            )
            .await;
            assert!(asks_to_log_in(&visitor.get("/access").await));
        }
    }
    let paused = "(SELECT count(*) FROM hookfast_data.handlers WHERE paused_at IS NOT NULL)";
    assert_eq!(site.text(paused).await, "0");
}

/// Two hours without a request, or twelve hours, and it only reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_lapses_to_reading() {
    let site = Site::new().await;
    let person = site.person("mira", &site.operator).await;
    run(&site, format!("GRANT \"{}\" TO \"{person}\"", site.reader)).await;
    let visitor = site.log_in(&person).await;
    let page = text(&visitor.get("/act/pause_handler?handler=shop").await);
    assert!(page.contains("name=\"why\""));
    let lapse =
        "UPDATE hookfast_data.access SET acts_until = clock_timestamp() - interval '1 minute'";
    run(&site, lapse.to_owned()).await;
    let page = text(&visitor.get("/act/pause_handler?handler=shop").await);
    assert!(page.contains("Log in with a fresh ticket") && !page.contains("name=\"why\""));
    assert!(page.contains("/login?next=%2Fact%2Fpause_handler%3Fhandler%3Dshop"));
    let fields = [("handler", "shop"), ("why", "too late")];
    assert_eq!(
        visitor.post("/act/pause_handler", &fields).await.status,
        403
    );
    // A reader has no other role to come back to.
    let reader = site.visitor("rita", &site.reader).await;
    run(&site, lapse.to_owned()).await;
    let page = text(&reader.get("/act/pause_handler?handler=shop").await);
    assert!(!page.contains("fresh ticket") && page.contains("may not call"));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_and_revoke_their_own_access_and_operators_that_of_all() {
    let site = Site::new().await;
    let rita = site.visitor("rita", &site.reader).await;
    let mira = site.visitor("mira", &site.operator).await;
    let own = text(&rita.get("/access").await);
    assert!(own.contains("rita_of_") && !own.contains("mira_of_"));
    let all = text(&mira.get("/access").await);
    assert!(all.contains("rita_of_") && all.contains("mira_of_"));
    let id = |person: &str| {
        format!("(SELECT max(access_id) FROM hookfast.access WHERE person LIKE '{person}%')")
    };
    let (of_rita, of_mira) = (site.text(&id("rita")).await, site.text(&id("mira")).await);
    let fields = [("access_id", of_mira.as_str()), ("why", "I may not")];
    assert_eq!(rita.post("/act/revoke_access", &fields).await.status, 404);
    assert_eq!(mira.get("/access").await.status, 200);
    let fields = [("access_id", of_rita.as_str()), ("why", "a lost phone")];
    assert_eq!(mira.post("/act/revoke_access", &fields).await.status, 303);
    assert!(asks_to_log_in(&rita.get("/access").await));
    let line = site
        .text("(SELECT concat_ws(' ', actor, on_behalf_of) FROM hookfast.audit_log WHERE action = 'access.revoked')")
        .await;
    assert_eq!(
        line,
        format!(
            "{} {}",
            site.login,
            site.text("(SELECT max(person) FROM hookfast.access WHERE person LIKE 'mira%')")
                .await
        )
    );
}

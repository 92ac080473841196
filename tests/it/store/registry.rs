//! Subscriptions, and an audit log row for every change of one.

use super::{Store, attempts, registration, verdicts};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::Origin::Webhook;
use hookfast::internals::domain::{PayloadFields, Retention, RoleNames};
use hookfast::internals::ingress::{Source, Sources};
use hookfast::internals::signing::Secret;
use hookfast::internals::store::{
    HandlerRegistration, Role, SourceRegistration, check_schema, ensure_partitions, ensure_roles,
    migrate, pause_gone_handler, register_handlers, register_sources, set_retention,
};
use hookfast::sources::airalo::Airalo;
use std::{sync::Arc, time::Duration};

const VERSION: &str = "SELECT version::bigint FROM hookfast_data.subscription_version";
const LOG: &str = "SELECT count(*) FROM hookfast_data.audit_log";

impl Store {
    async fn register(&self, handler: HandlerRegistration, config_version: i64) -> i16 {
        let name = handler.name.clone();
        register_handlers(&self.pool, &[handler], config_version)
            .await
            .expect("registered")[&name]
            .0
    }

    async fn types_of_shop(&self) -> String {
        self.text(
            "SELECT array_to_string(types, ' ') FROM hookfast_data.handlers WHERE name = 'shop'",
        )
        .await
    }
}

#[tokio::test]
async fn registering_the_same_again_changes_nothing_and_a_change_is_logged() {
    let store = Store::new().await;
    let (version, lines) = (store.count(VERSION).await, store.count(LOG).await);
    assert_eq!((version, lines), (1, 1), "the handler of these tests");
    assert_eq!(
        store.register(registration("shop", &["*"]), 0).await,
        store.handler.0
    );
    assert_eq!(
        (store.count(VERSION).await, store.count(LOG).await),
        (version, lines)
    );

    assert_eq!(
        store.register(registration("shop", &["a.*", "b"]), 0).await,
        store.handler.0,
        "it keeps its id"
    );
    assert_eq!(
        (store.count(VERSION).await, store.count(LOG).await),
        (version + 1, lines + 1)
    );
    let line = "SELECT concat_ws(' ', action, target, details->'types', details->'subscription_version', actor = session_user) FROM hookfast_data.audit_log ORDER BY id DESC LIMIT 1";
    assert_eq!(
        store.text(line).await,
        r#"handler.registered shop ["a.*", "b"] 2 t"#
    );
    for changed in [
        HandlerRegistration {
            retry: attempts(4),
            ..registration("shop", &["a.*", "b"])
        },
        HandlerRegistration {
            retry: attempts(4),
            sources: Some(vec!["airalo".parse().expect("a name")]),
            ..registration("shop", &["a.*", "b"])
        },
        HandlerRegistration {
            behind_after: Duration::from_millis(90_500),
            ..registration("shop", &["a.*", "b"])
        },
        HandlerRegistration {
            kind: "http",
            retry: attempts(4),
            ..registration("shop", &["a.*", "b"])
        },
        HandlerRegistration {
            kind: "http",
            retry: attempts(4),
            filter: Some("$.a == 1".parse().expect("a filter")),
            ..registration("shop", &["a.*", "b"])
        },
    ] {
        let before = store.count(VERSION).await;
        store.register(changed, 0).await;
        assert_eq!(store.count(VERSION).await, before + 1);
    }
}

/// In a rolling deployment the old process starts again while the new one runs.
#[tokio::test]
async fn an_older_configuration_does_not_undo_a_newer_one() {
    let store = Store::new().await;
    store.register(registration("shop", &["new"]), 7).await;
    let lines = store.count(LOG).await;
    assert_eq!(
        store.register(registration("shop", &["old"]), 6).await,
        store.handler.0,
        "the old one continues"
    );
    assert_eq!(
        (store.types_of_shop().await.as_str(), store.count(LOG).await),
        ("new", lines)
    );
    store.register(registration("shop", &["newest"]), 7).await;
    assert_eq!(
        store.types_of_shop().await,
        "newest",
        "the same version may change itself"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_agree() {
    let store = Store::new().await;
    let mut processes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let pool = store.pool.clone();
        processes.spawn(async move {
            let handlers = [registration("one", &["*"]), registration("two", &["*"])];
            let ids = register_handlers(&pool, &handlers, 0)
                .await
                .expect("registered");
            handlers.map(|handler| ids[&handler.name])
        });
    }
    let ids = processes.join_all().await;
    assert!(ids.iter().all(|pair| *pair == ids[0]), "{ids:?}");
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.handlers")
            .await,
        3
    );
}

#[tokio::test]
async fn the_one_rule_of_patterns() {
    let store = Store::new().await;
    for (pattern, matched, others) in [
        ("*", &["a", "a.b", "a_b.c"][..], &[][..]),
        ("a.b", &["a.b"], &["a", "a.b.c", "a.bc", "axb"]),
        ("a.*", &["a.b", "a.b.c"], &["a", "ab", "ab.c", "b.a"]),
        // In LIKE an underscore is any character.
        ("a_b.*", &["a_b.c"], &["axb.c", "a.b.c", "a_b"]),
        (
            "low_data.75",
            &["low_data.75"],
            &["lowxdata.75", "low_data.755"],
        ),
    ] {
        for (types, expected) in [(matched, true), (others, false)] {
            for event_type in types {
                let matches: bool = sqlx::query_scalar("SELECT hookfast_data.type_matches($1, $2)")
                    .bind(pattern)
                    .bind(event_type)
                    .fetch_one(&store.pool)
                    .await
                    .expect("an answer");
                assert_eq!(matches, expected, "{pattern} {event_type}");
            }
        }
    }
}

#[tokio::test]
async fn an_event_is_routed_by_the_registry_of_its_moment_and_a_conflict_by_its_own_type() {
    let store = Store::new().await;
    store.execute("DELETE FROM hookfast_data.handlers").await;
    let mut ingest = store.connection(Role::Ingest).await;
    assert_eq!(
        verdicts(&ingest.ingest(&[store.event("before", None)], Webhook).await),
        ["stored"]
    );
    store
        .register(registration("results", &["airalo.order.completed"]), 0)
        .await;
    store
        .register(registration("conflicts", &["airalo.order.completed.*"]), 0)
        .await;
    let group = [
        store.event("k", Some("a")),
        store.event("k", Some("b")),
        store.event("k", Some("b")),
    ];
    assert_eq!(
        verdicts(&ingest.ingest(&group, Webhook).await),
        ["stored", "conflict", "duplicate"]
    );
    let pending = "SELECT string_agg(concat_ws(' ', d.handler, e.idempotency_key, d.attempts_left), ', ' ORDER BY d.delivery_id) FROM hookfast.deliveries d JOIN hookfast.events e USING (event_id)";
    assert_eq!(
        store.text(pending).await,
        "results k 3, conflicts k#conflict:b 3"
    );
    let versions =
        "SELECT string_agg(subscription_version::text, ' ' ORDER BY id) FROM hookfast_data.events";
    assert_eq!(store.text(versions).await, "1 3 3");
}

/// The insert of events depends on the row of the subscription version: without it nothing may be
/// reported as stored.
#[tokio::test]
async fn without_its_registry_no_event_is_reported_as_stored() {
    let store = Store::new().await;
    store
        .execute("DELETE FROM hookfast_data.subscription_version")
        .await;
    let mut ingest = store.connection(Role::Ingest).await;
    assert_eq!(
        verdicts(&ingest.ingest(&[store.event("k", None)], Webhook).await),
        ["refused"]
    );
}

#[tokio::test]
async fn pausing_and_resuming_are_logged_once_and_an_unknown_handler_is_named() {
    let store = Store::new().await;
    let lines = store.count(LOG).await;
    for _ in 0..2 {
        pause_gone_handler(&store.pool, &store.name, "gone", Some(410))
            .await
            .expect("paused");
    }
    let paused = "SELECT concat_ws(' ', paused_at IS NOT NULL, paused_why, paused_as_gone, paused_by_status) FROM hookfast_data.handlers";
    assert_eq!(
        (store.text(paused).await.as_str(), store.count(LOG).await),
        ("t gone t 410", lines + 1)
    );
    store
        .execute("SELECT hookfast.resume_handler('shop', why => 'a test'); SELECT hookfast.resume_handler('shop', why => 'a test')")
        .await;
    assert_eq!(
        (store.text(paused).await.as_str(), store.count(LOG).await),
        ("f f", lines + 2)
    );
    let last = "SELECT string_agg(concat_ws(' ', action, target, details->>'why'), ', ' ORDER BY id) FROM hookfast_data.audit_log WHERE id > 1";
    assert_eq!(
        store.text(last).await,
        "handler.paused shop gone, handler.resumed shop a test"
    );

    for call in [
        "SELECT hookfast.pause_handler('shopp', 'x')",
        "SELECT hookfast.resume_handler('shopp', why => 'a test')",
    ] {
        let error = sqlx::query(call)
            .execute(&store.pool)
            .await
            .expect_err("no handler has that name");
        let error = error.into_database_error().expect("from the database");
        assert_eq!(
            error.message(),
            "no handler is named shopp; nothing was changed"
        );
        let hint = error
            .downcast_ref::<sqlx::postgres::PgDatabaseError>()
            .hint();
        assert_eq!(hint, Some("The names are in hookfast.handler_health."));
    }
    let open = "SELECT count(*) FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a WHERE pronamespace = 'hookfast'::regnamespace AND grantee = 0";
    assert_eq!(
        store.count(open).await,
        0,
        "no role may call them without a grant"
    );
}

#[tokio::test]
async fn a_sources_fields_are_those_of_its_kind_and_of_its_last_declaration() {
    let store = Store::new().await;
    let fields = |secret: &'static [&'static str], search: &'static [&'static str]| {
        PayloadFields::new(secret.iter().copied(), search.iter().copied())
    };
    let secret = Secret::new("test", b"a secret of some length".to_vec()).expect("long enough");
    let airalo = Source::new(
        "airalo".parse().expect("a name"),
        Arc::new(Airalo),
        vec![secret],
        Reject,
    );
    let airalo = airalo
        .expect("a secret")
        .with_fields(&fields(&["Voucher", "lpa"], &["ICCID", "voucher_no"]));
    let jobs = |fields| SourceRegistration {
        name: "jobs".parse().expect("a name"),
        kind: "sql",
        fields,
    };
    let mut declared = Sources::new([airalo]).registrations();
    declared.push(jobs(fields(&["token"], &["job"])));
    let ids = register_sources(&store.pool, &declared)
        .await
        .expect("registered");
    assert_eq!(ids[&declared[0].name], store.source, "it keeps its id");
    let of = "SELECT string_agg(concat_ws(':', name, array_to_string(secret_fields, ','), array_to_string(search_fields, ',')), ' ' ORDER BY name) FROM hookfast_data.sources";
    assert_eq!(
        store.text(of).await,
        "airalo:access_code,confirmation_code,direct_apple_installation_url,lpa,manual_installation,matching_id,\
         msisdn,qrcode,qrcode_installation,qrcode_url,voucher:code,description,iccid,id,request_id,voucher_no hookfast:why,error,idempotency_key: jobs:token:job"
    );
    register_sources(&store.pool, &[jobs(PayloadFields::default())])
        .await
        .expect("registered");
    assert!(
        store.text(of).await.ends_with(" jobs::"),
        "a removed declaration has no effect any more"
    );
}

/// The ids are small, and each start of each process registers everything.
#[tokio::test]
async fn starts_use_no_value_of_a_sequence() {
    let store = Store::new().await;
    let source = |search: &str| SourceRegistration {
        name: "airalo".parse().expect("a name"),
        kind: "airalo",
        fields: PayloadFields::new([], [search]),
    };
    let numbers = "SELECT (SELECT last_value FROM hookfast_data.sources_id_seq) || ' ' || \
        (SELECT last_value FROM hookfast_data.handlers_id_seq)";
    register_sources(&store.pool, &[source("a")])
        .await
        .expect("registered");
    let before = store.text(numbers).await;
    for start in 0..10 {
        register_sources(&store.pool, &[source(&format!("f{start}"))])
            .await
            .expect("registered");
        assert_eq!(
            store.register(registration("shop", &["*"]), start).await,
            store.handler.0
        );
    }
    assert_eq!(store.text(numbers).await, before);
}

#[tokio::test]
async fn several_processes_that_register_the_same_at_once_agree_on_the_ids() {
    let store = Store::new().await;
    let mut processes = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let pool = store.of.pool(Role::General, 1);
        processes.spawn(async move {
            let source = SourceRegistration {
                name: "new".parse().expect("a name"),
                kind: "hmac",
                fields: PayloadFields::default(),
            };
            let sources = register_sources(&pool, &[source])
                .await
                .expect("registered");
            let handlers = register_handlers(&pool, &[registration("new", &["*"])], 1)
                .await
                .expect("registered");
            (sources.into_values().next(), handlers.into_values().next())
        });
    }
    let ids: std::collections::HashSet<_> = processes.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

/// If everything is registered, it is only read, which lets a process start on a standby.
#[tokio::test]
async fn a_start_that_changes_nothing_writes_nothing() {
    let store = Store::new().await;
    let source = SourceRegistration {
        name: "a".parse().expect("a name"),
        kind: "hmac",
        fields: PayloadFields::default(),
    };
    let roles = RoleNames::default();
    let start = async |pool: &sqlx::PgPool| {
        migrate(&store.of).await?;
        check_schema(&store.of).await?;
        ensure_partitions(pool).await?;
        register_sources(pool, std::slice::from_ref(&source)).await?;
        register_handlers(pool, &[registration("shop", &["a"])], 3).await?;
        set_retention(pool, &Retention::default()).await?;
        ensure_roles(&store.of, &roles).await?;
        Ok::<_, hookfast::internals::store::MigrateError>(())
    };
    start(&store.pool).await.expect("the first start");
    store.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$").await;
    let reading = store.of.pool(Role::General, 1);
    let refused = sqlx::query("CREATE TABLE public.t ()")
        .execute(&reading)
        .await;
    assert!(
        refused
            .expect_err("it only reads")
            .to_string()
            .contains("read-only")
    );
    start(&reading).await.expect("the second start");
}

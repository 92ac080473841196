//! The roles for people: created if permitted, granted, and never an obstacle.

use super::Store;
use crate::support::server::Server;
use hookfast::internals::domain::{GrantedRole, RoleNames};
use hookfast::internals::store::{Database, Role, Roles, ensure_partitions, ensure_roles, migrate};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::process::Command;

/// A database without Hookfast's schema, a role that owns nothing yet, and names for the roles of
/// people. All tests share the cluster's roles, so the names are unique to this test.
struct Limited {
    admin: PgConnection,
    url: String,
    of: Database,
    names: RoleNames,
    reader: String,
    operator: String,
    // Dropped last.
    _store: Store,
}

impl Limited {
    async fn new(attribute: &str) -> Self {
        let store = Store::new().await;
        let database = store.database();
        let mut url = url::Url::parse(database.url()).expect("a URL");
        let name = url.path()[1..].to_owned();
        let (reader, operator) = (format!("Readers-of_{name}"), format!("operators_of_{name}"));
        let mut admin = database.connect().await;
        let prepare = format!(
            "SET client_min_messages = warning; DROP SCHEMA hookfast, hookfast_data CASCADE; \
             CREATE ROLE owner_of_{name} LOGIN PASSWORD 'limited' NOSUPERUSER {attribute}; \
             GRANT CREATE ON DATABASE {name} TO owner_of_{name}"
        );
        admin.execute(AssertSqlSafe(prepare)).await.expect("a role");
        let owner = format!("owner_of_{name}");
        url.set_username(&owner)
            .and_then(|()| url.set_password(Some("limited")))
            .expect("a URL with a host");
        let of: Database = url.as_str().parse().expect("a URL");
        migrate(&of).await.expect("migrated");
        ensure_partitions(&of.pool(Role::General, 1))
            .await
            .expect("partitions");
        let role = |name: &str| Some(name.parse().expect("a role's name"));
        let names = RoleNames {
            reader: role(&reader),
            operator: role(&operator),
            support: role(&format!("support_of_{name}")),
            console: role(&format!("console_of_{name}")),
        };
        Self {
            admin,
            url: url.into(),
            of,
            names,
            reader,
            operator,
            _store: store,
        }
    }

    /// The answer to a role, or the reason of its error.
    async fn query(&mut self, role: &str, query: &str) -> Result<String, String> {
        let mut transaction = self.admin.begin().await.expect("a transaction");
        let set = format!("SET LOCAL ROLE \"{role}\"");
        transaction
            .execute(AssertSqlSafe(set))
            .await
            .expect("the role is there");
        let answer = sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(query))
            .fetch_one(&mut *transaction)
            .await;
        answer
            .map(Option::unwrap_or_default)
            .map_err(|error| error.to_string())
    }

    async fn it_is_granted(&mut self) {
        let (reader, operator) = (self.reader.clone(), self.operator.clone());
        let views = "SELECT string_agg(relname, ',') FROM pg_class WHERE relnamespace = 'hookfast'::regnamespace \
            AND relkind = 'v' AND NOT has_table_privilege(current_user, oid, 'SELECT')";
        for role in [&reader, &operator] {
            self.query(role, "SELECT count(*)::text FROM hookfast.deliveries")
                .await
                .expect("it reads");
            assert_eq!(
                self.query(role, views).await.expect("an answer"),
                "",
                "every view"
            );
            self.query(role, "SELECT hookfast.event_id_at(now())::text")
                .await
                .expect("it calls");
            let data = self
                .query(role, "SELECT count(*)::text FROM hookfast_data.events")
                .await
                .expect_err("not its own");
            assert!(data.contains("permission denied"), "{data}");
        }
        let pause = "SELECT hookfast.pause_handler('nobody', 'why')::text";
        let refused = self.query(&reader, pause).await.expect_err("it only reads");
        assert!(
            refused.contains("permission denied for function pause"),
            "{refused}"
        );
        let called = self
            .query(&operator, pause)
            .await
            .expect_err("no such handler");
        assert!(called.contains("no handler is named nobody"), "{called}");
        let event = "INSERT INTO hookfast_data.sources (name, kind, secret_fields) VALUES ('masked', 'airalo', '{matching_id}'); \
            INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body) \
            SELECT hookfast_data.new_event_id(), s.id, 1, 'x', 'webhook', 'k', '{}', '{\"matching_id\": \"secret\", \"n\": 1}' \
            FROM hookfast_data.sources s WHERE s.name = 'masked'";
        self.admin.execute(event).await.expect("an event");
        let payload = "SELECT payload::text FROM hookfast.events";
        let shown = self.query(&reader, payload).await.expect("it reads");
        assert_eq!(shown, r#"{"n": 1, "matching_id": "***"}"#);
        let shown = self.query(&operator, payload).await.expect("it reads");
        assert!(shown.contains("secret"), "{shown}");
        self.pauses_are_explained(&reader, &operator).await;
        let unmasked = "SELECT hookfast_data.can_see_secrets(current_user)::text";
        self.admin
            .execute("GRANT USAGE ON SCHEMA hookfast_data TO PUBLIC")
            .await
            .expect("a query");
        assert_eq!(self.query(&reader, unmasked).await.as_deref(), Ok("false"));
        assert_eq!(
            self.query(&operator, unmasked).await.as_deref(),
            Ok("true"),
            "the database has its name"
        );
    }

    /// The reason of a pause may quote the receiver. A reader sees who paused the handler, and an
    /// operator the reason.
    async fn pauses_are_explained(&mut self, reader: &str, operator: &str) {
        let pauses = "INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version) \
            SELECT n, 'http', '{x}', 1, 1 FROM unnest('{gone,refused,stopped}'::text[]) n; \
            SELECT hookfast_data.pause_handler('gone', 'status 410', true, 410::smallint), \
                hookfast_data.pause_handler('refused', 'its own reason', true, NULL), \
                hookfast.pause_handler('stopped', 'for a deploy')";
        self.admin.execute(pauses).await.expect("paused");
        let why = "SELECT string_agg(regexp_replace(why, '^since [^a-z]*: ', ''), ', ' ORDER BY handler) \
            FROM hookfast.handler_health";
        let seen = self.query(reader, why).await;
        let expected = "status 410, the handler reported that it is gone, by an operator";
        assert_eq!(seen.as_deref(), Ok(expected));
        let seen = self.query(operator, why).await;
        assert_eq!(
            seen.as_deref(),
            Ok("status 410, its own reason, for a deploy")
        );
    }

    async fn end(mut self) {
        for role in [&self.reader, &self.operator] {
            let gone = format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"");
            self.admin
                .execute(AssertSqlSafe(gone))
                .await
                .expect("the role was there");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_make_roles_makes_and_grants_them() {
    let mut limited = Limited::new("CREATEROLE").await;
    let mut processes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (of, names) = (limited.of.clone(), limited.names.clone());
        processes.spawn(async move {
            ensure_roles(&of, &names)
                .await
                .expect("each of them succeeds")
        });
    }
    let made = processes.join_all().await;
    assert!(
        made.iter().all(|roles| roles.missing.is_empty()),
        "{made:?}"
    );
    assert_eq!(
        made.iter().map(|roles| roles.created.len()).sum::<usize>(),
        4,
        "{made:?}"
    );
    limited.it_is_granted().await;
    let again = ensure_roles(&limited.of, &limited.names)
        .await
        .expect("nothing to do");
    assert_eq!(
        again,
        Roles {
            granted: GrantedRole::ALL
                .map(|role| limited.names.get(role).expect("a name").to_string())
                .into(),
            ..Roles::default()
        }
    );
    // A view that is added later is granted too, and a process without a configuration changes no
    // names.
    limited
        .admin
        .execute("CREATE VIEW hookfast.later AS SELECT 1 AS one")
        .await
        .expect("a view");
    limited
        .admin
        .execute(
            "DO $$ BEGIN EXECUTE format('ALTER VIEW hookfast.later OWNER TO %I', \
        (SELECT viewowner FROM pg_views WHERE schemaname = 'hookfast' AND viewname = 'events')); END $$",
        )
        .await
        .expect("owned");
    ensure_roles(&limited.of, &RoleNames::default())
        .await
        .expect("granted");
    let reader = limited.reader.clone();
    assert_eq!(
        limited
            .query(&reader, "SELECT one::text FROM hookfast.later")
            .await
            .as_deref(),
        Ok("1")
    );
    limited.end().await;
}

/// A role that was the operator's, and is no longer, or is the reader's now.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_replaced_loses_its_rights() {
    let mut limited = Limited::new("CREATEROLE").await;
    ensure_roles(&limited.of, &limited.names)
        .await
        .expect("granted");
    let (reader, operator) = (limited.reader.clone(), limited.operator.clone());
    let role = |name: &str| Some(name.parse().expect("a role's name"));
    let other = format!("other_{operator}");
    let names = RoleNames {
        reader: role(&reader),
        operator: role(&other),
        ..RoleNames::default()
    };
    ensure_roles(&limited.of, &names).await.expect("granted");
    ensure_roles(&limited.of, &RoleNames::default())
        .await
        .expect("nothing to change");
    let pause = "SELECT hookfast.pause_handler('nobody', 'why')::text";
    for query in [
        pause,
        "SELECT count(*)::text FROM hookfast.deliveries",
        "SELECT hookfast.event_id_at(now())::text",
    ] {
        let refused = limited
            .query(&operator, query)
            .await
            .expect_err("it has no rights any more");
        assert!(refused.contains("permission denied"), "{refused}");
    }
    let called = limited
        .query(&other, pause)
        .await
        .expect_err("no such handler");
    assert!(called.contains("no handler is named nobody"), "{called}");
    // The reader's name becomes the operator's, and the other way round.
    let names = RoleNames {
        reader: role(&other),
        operator: role(&reader),
        ..RoleNames::default()
    };
    ensure_roles(&limited.of, &names).await.expect("granted");
    let refused = limited
        .query(&other, pause)
        .await
        .expect_err("it only reads");
    assert!(
        refused.contains("permission denied for function pause"),
        "{refused}"
    );
    limited
        .query(&other, "SELECT count(*)::text FROM hookfast.deliveries")
        .await
        .expect("it reads");
    let logged = "SELECT string_agg(target || ' ' || (details->>'former'), ', ' ORDER BY id) \
        FROM hookfast_data.audit_log WHERE action = 'role.changed'";
    let logged: String = sqlx::query_scalar(logged)
        .fetch_one(&mut limited.admin)
        .await
        .expect("lines");
    assert_eq!(
        logged,
        format!("operator_role {operator}, reader_role {reader}, operator_role {other}")
    );
    let gone = format!("DROP OWNED BY \"{other}\"; DROP ROLE \"{other}\"");
    limited
        .admin
        .execute(AssertSqlSafe(gone))
        .await
        .expect("the role was there");
    limited.end().await;
}

/// Nothing fails, and the message contains the statements to run.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_the_right_gets_the_statements_to_run() {
    let mut limited = Limited::new("NOCREATEROLE").await;
    let all = GrantedRole::ALL.map(|role| limited.names.get(role).expect("a name").to_string());
    let run = all
        .each_ref()
        .map(|name| format!("CREATE ROLE \"{name}\" NOLOGIN;"))
        .join("\n");
    let roles = ensure_roles(&limited.of, &limited.names)
        .await
        .expect("no failure");
    assert_eq!(
        (roles.created.len(), roles.to_run().as_ref()),
        (0, Some(&run))
    );

    let [reader, support, operator, console] = all;
    let names = format!(
        "[roles]\nreader = '{reader}'\nsupport = '{support}'\noperator = '{operator}'\nconsole = '{console}'\n"
    );
    let config = format!(
        "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n{names}"
    );
    let server = Server::serve(&limited.url, &config, &[]);
    server.ready().await;
    assert_eq!(
        server
            .log()
            .matches("roles for readers and operators are missing")
            .count(),
        1,
        "{}",
        server.log()
    );
    assert!(
        server.log().contains("CREATE ROLE") && server.log().contains("hookfast migrate"),
        "{}",
        server.log()
    );

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hookfast.toml");
    std::fs::write(&file, &config).expect("written");
    let migrate = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        let output = command
            .arg("migrate")
            .env("DATABASE_URL", &limited.url)
            .env("HOOKFAST_CONFIG", &file)
            .output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let printed = migrate();
    assert!(
        printed.contains(&format!("\n{run}\n"))
            && printed.contains("then run hookfast migrate again"),
        "{printed}"
    );
    // The suggested statements work.
    limited
        .admin
        .execute(AssertSqlSafe(run))
        .await
        .expect("run");
    assert!(!migrate().contains("CREATE ROLE"));
    limited.it_is_granted().await;
    limited.end().await;
}

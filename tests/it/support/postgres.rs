//! Postgres for tests: one fast cluster that all share, a separate database for each test, and
//! durable clusters for tests of durability.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use hookfast::internals::dev::postgres::{Cluster, ClusterOptions, Durability};
use sha2::{Digest, Sha256};
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection,
    postgres::{PgPool, PgPoolOptions},
};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::OnceCell,
};

/// The template of every test's database.
const TEMPLATE: &str = "hookfast_template";

/// Upgrades the template to the newest schema; each test's database is a copy of it.
async fn migrate_template(url: &str) {
    let database: hookfast::internals::store::Database = url.parse().expect("a database's URL");
    hookfast::internals::store::migrate(&database)
        .await
        .expect("the migrations");
    let pool = database.pool(hookfast::internals::store::Role::General, 1);
    hookfast::internals::store::ensure_partitions(&pool)
        .await
        .expect("the partitions");
    pool.close().await;
    hookfast::internals::store::ensure_indexes(&database)
        .await
        .expect("the indexes");
}

/// Makes connecting cheap: the 4,096 rounds of password hashing, which take a debug build 40 ms,
/// become one.
async fn make_connecting_cheap(cluster: &Cluster) {
    let url = url::Url::parse(&cluster.url()).expect("a cluster's URL");
    let password = url.password().expect("a cluster's URL has a password");
    let hmac = |key: &[u8], text: &[u8]| {
        Hmac::<Sha256>::new_from_slice(key)
            .expect("any length")
            .chain_update(text)
            .finalize()
            .into_bytes()
    };
    let salt = b"a salt for tests";
    let salted = hmac(
        password.as_bytes(),
        &[salt.as_slice(), &1u32.to_be_bytes()].concat(),
    );
    let stored_key = Sha256::digest(hmac(&salted, b"Client Key"));
    let server_key = hmac(&salted, b"Server Key");
    let [salt, stored_key, server_key] =
        [salt.as_slice(), &stored_key, &server_key].map(|b| BASE64.encode(b));
    let mut connection = PgConnection::connect(&cluster.url())
        .await
        .expect("a connection");
    let statement =
        format!("ALTER ROLE hookfast PASSWORD 'SCRAM-SHA-256$1:{salt}${stored_key}:{server_key}'");
    connection
        .execute(AssertSqlSafe(statement))
        .await
        .expect("a password of fewer rounds");
}

/// The runtime of the shared cluster's connections: each test has its own runtime, which ends with
/// it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime for the shared cluster")
});

/// Started by the first test that needs it. A static is never dropped: the cluster's watcher ends
/// it with the process.
static SHARED: OnceCell<Shared> = OnceCell::const_new();

struct Shared {
    cluster: Cluster,
    admin: PgPool,
}

impl Shared {
    async fn get() -> &'static Self {
        SHARED
            .get_or_init(async || {
                RUNTIME
                    .spawn(Self::start())
                    .await
                    .expect("the shared cluster")
            })
            .await
    }

    async fn start() -> Self {
        let mut options = ClusterOptions::temporary(Durability::Fast);
        // With a database for each test, autovacuum would always be busy, and no test may depend on
        // when it runs.
        options
            .settings
            .push(("autovacuum".to_owned(), "off".to_owned()));
        let cluster = Cluster::start(options).await.expect("a private Postgres");
        make_connecting_cheap(&cluster).await;
        let admin = PgPoolOptions::new()
            .max_connections(4)
            .connect(&cluster.url())
            .await
            .expect("a connection");
        let shared = Self { cluster, admin };
        shared.execute(format!("CREATE DATABASE {TEMPLATE}")).await;
        migrate_template(&shared.url_of(TEMPLATE)).await;
        // A connection to the template would make every copy fail.
        shared
            .execute(format!(
                "ALTER DATABASE {TEMPLATE} WITH ALLOW_CONNECTIONS false"
            ))
            .await;
        shared
    }

    fn url_of(&self, database: &str) -> String {
        let mut url = url::Url::parse(&self.cluster.url()).expect("a cluster's URL");
        url.set_path(database);
        url.into()
    }

    async fn execute(&self, statement: String) {
        self.admin
            .execute(AssertSqlSafe(statement))
            .await
            .expect("a statement of the test harness");
    }
}

/// The database of one test, with the newest schema. It is deleted when dropped, even if others are
/// still connected.
pub(crate) struct Database {
    name: String,
    url: String,
}

impl Database {
    /// Its URL, with the password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A connection to it.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url)
            .await
            .expect("a connection to the test's database")
    }

    /// A pool of connections to it.
    pub(crate) async fn pool(&self) -> PgPool {
        PgPool::connect(&self.url)
            .await
            .expect("connections to the test's database")
    }
}

impl Database {
    /// Creates a role that may only log in and is a member of these roles; returns the URL it
    /// connects with. The role belongs to this test alone, and ends with the cluster.
    pub(crate) async fn login(&self, name: &str, in_roles: &[&str]) -> String {
        let role = format!("{name}_of_{}", self.name);
        let mut admin = self.connect().await;
        let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'login'");
        admin.execute(AssertSqlSafe(create)).await.expect("a role");
        for of in in_roles {
            admin
                .execute(AssertSqlSafe(format!("GRANT \"{of}\" TO {role}")))
                .await
                .expect("a member");
        }
        let mut url = url::Url::parse(&self.url).expect("a URL");
        url.set_username(&role)
            .and_then(|()| url.set_password(Some("login")))
            .expect("a URL with a host");
        url.into()
    }
}

/// The server log of the shared cluster up to now.
pub(crate) async fn server_log() -> String {
    let log = std::fs::read(Shared::get().await.cluster.log_file()).expect("the server's log");
    String::from_utf8_lossy(&log).into_owned()
}

/// The server log of the shared cluster from a byte on, and where it ends now.
pub(crate) async fn server_log_from(start: u64) -> (String, u64) {
    let path = Shared::get().await.cluster.log_file();
    let mut log = File::open(path).expect("the server's log");
    log.seek(SeekFrom::Start(start)).expect("a position");
    let mut text = Vec::new();
    let read = log.read_to_end(&mut text).expect("the server's log");
    let end = start + read as u64;
    (String::from_utf8_lossy(&text).into_owned(), end)
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        RUNTIME.spawn(async { Shared::get().await.execute(statement).await });
    }
}

/// A fresh database in the shared cluster.
///
/// The cluster is fast: it may lose commits when Postgres crashes. Use [`durable_cluster`] for
/// tests of durability.
pub(crate) async fn database() -> Database {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let shared = Shared::get().await;
    let statement = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy");
    RUNTIME
        .spawn(shared.execute(statement))
        .await
        .expect("a test's database");
    Database {
        url: shared.url_of(&name),
        name,
    }
}

/// A durable cluster for one test, with the newest schema in its database `hookfast`.
pub(crate) async fn durable_cluster() -> Cluster {
    let cluster = Cluster::start(ClusterOptions::temporary(Durability::Durable))
        .await
        .expect("a private Postgres");
    make_connecting_cheap(&cluster).await;
    migrate_template(&cluster.url()).await;
    cluster
}

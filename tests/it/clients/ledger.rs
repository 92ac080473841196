//! The guarantee as a ledger: 10,000 events, handled by a Postgres function, a Rust program, and
//! pulling clients in Python and Node, all of them killed at random repeatedly. Each kind books
//! each event exactly once, and ordered handlers keep the order.

use crate::support::{
    airalo::Sending,
    client::Language,
    postgres::{Database, database},
    server::Server,
    wait_until_within,
};
use sqlx::PgPool;
use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Command,
    time::Duration,
};
use tokio::task::JoinSet;

/// The number of webhooks that are sent by HTTP. Applications enqueue the same number.
const ORDERS: u64 = 5000;

/// The applications that enqueue, the keys of each, and the steps of each key.
const APPLICATIONS: u64 = 4;
const KEYS: u64 = 50;
const STEPS: u64 = ORDERS / APPLICATIONS / KEYS;

const KILLS: usize = 25;

const CONFIG: &str = "\
[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n\
[sources.steps]\nkind = 'sql'\n\
[handlers.sql]\nkind = 'sql'\nfunction = 'shop.book'\ntypes = ['airalo.order.completed', 'steps.*']\nRETRY\n\
[handlers.sql_ordered]\nkind = 'sql'\nfunction = 'shop.book_ordered'\ntypes = ['*']\nsources = ['steps']\nordered_by = '/key'\nRETRY\n\
[handlers.python]\nkind = 'pull'\ntypes = ['airalo.order.completed', 'steps.*']\nRETRY\n\
[handlers.python_ordered]\nkind = 'pull'\ntypes = ['*']\nsources = ['steps']\nordered_by = '/key'\nRETRY\n\
[handlers.node]\nkind = 'pull'\ntypes = ['airalo.order.completed', 'steps.*']\nRETRY\n";

/// So many attempts that no delivery uses them up by chance.
const RETRY: &str = "retry = { exponential = { base = '20ms', max = '200ms', max_attempts = 50 } }";

/// The table of the clients, one for the Rust example, and two functions. One in fifty bookings
/// fails at random.
const SCHEMA: &str = "
CREATE TABLE ledger (event_id uuid, body jsonb);
CREATE FUNCTION shop.book(event hookfast.event) RETURNS void LANGUAGE sql AS $$
    INSERT INTO shop.ledger (handler, event_id, type, payload)
    VALUES ('sql', (event).event_id, (event).type, (event).payload) $$;
CREATE FUNCTION shop.book_ordered(event hookfast.event) RETURNS void LANGUAGE sql AS $$
    INSERT INTO shop.ledger (handler, event_id, type, payload)
    VALUES ('sql_ordered', (event).event_id, (event).type, (event).payload) $$;
CREATE FUNCTION shop.fail_at_random() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.02 THEN RAISE 'at random'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fail_at_random BEFORE INSERT ON shop.ledger FOR EACH ROW EXECUTE FUNCTION shop.fail_at_random();";

/// A process that is killed and restarted.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// The example of the README: receives webhooks, and books in Rust.
    Embedded(SocketAddr),
    Worker,
    Pulling(Language, &'static str),
}

impl Part {
    fn start(self, database: &Database) -> Server {
        match self {
            Self::Embedded(address) => {
                let folder = PathBuf::from(env!("CARGO_BIN_EXE_hookfast"))
                    .parent()
                    .expect("a folder")
                    .to_owned();
                let mut command = Command::new(folder.join("examples/ledger"));
                command
                    .env("DATABASE_URL", database.url())
                    .env("LISTEN", address.to_string());
                Server::start(command, None)
            }
            Self::Worker => Server::serve(
                database.url(),
                &CONFIG.replace("RETRY", RETRY),
                &["--roles", "worker"],
            ),
            Self::Pulling(language, handler) => {
                language.start(database.url(), handler, &[("LEASE", "5 seconds")])
            }
        }
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("bound")
}

/// One application: each step in a separate transaction, every tenth after one that is rolled back.
async fn enqueue(pool: PgPool, application: u64) {
    for step in 0..STEPS {
        for key in 0..KEYS {
            let key = format!("{application}-{key}");
            if (step * KEYS + step).is_multiple_of(10) {
                let mut ghost = pool.begin().await.expect("a transaction");
                put(&mut *ghost, &key, step, "ghost").await;
                ghost.rollback().await.expect("rolled back");
            }
            put(&pool, &key, step, "step").await;
        }
    }
}

async fn put(to: impl sqlx::PgExecutor<'_>, key: &str, step: u64, what: &str) {
    let payload = serde_json::json!({"key": key, "step": step, "what": what}).to_string();
    sqlx::query("SELECT hookfast.enqueue('steps', 'steps.taken', $1::jsonb, $2)")
        .bind(payload)
        .bind(format!("{key}:{step}:{what}"))
        .execute(to)
        .await
        .expect("enqueued");
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query)
        .fetch_one(pool)
        .await
        .expect("a number")
}

/// The bookings of each handler: how many, and for how many different events.
async fn books(pool: &PgPool) -> Vec<(String, i64, i64)> {
    let query = "
        SELECT handler, count(*), count(DISTINCT event_id) FROM shop.ledger GROUP BY handler
        UNION ALL SELECT 'rust', count(*), count(DISTINCT event_id) FROM ledger";
    let mut books: Vec<_> = sqlx::query_as(query)
        .fetch_all(pool)
        .await
        .expect("the booked rows");
    books.sort();
    books
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_handles_each_event_once_and_in_order_while_all_is_killed() {
    let languages = Language::tested();
    let database = database().await;
    let pool = database.pool().await;
    let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/pull/schema.sql");
    let tables = std::fs::read_to_string(tables).expect("the example's schema");
    sqlx::raw_sql(sqlx::AssertSqlSafe(tables + SCHEMA))
        .execute(&pool)
        .await
        .expect("the schema");

    let addresses = [free_address(), free_address()];
    let mut parts = vec![
        Part::Embedded(addresses[0]),
        Part::Embedded(addresses[1]),
        Part::Worker,
        Part::Worker,
    ];
    let pulled = [
        (Language::Python, "python"),
        (Language::Python, "python_ordered"),
        (Language::Node, "node"),
    ];
    for (language, handler) in pulled {
        if languages.contains(&language) {
            parts.extend([Part::Pulling(language, handler); 2]);
        }
    }
    // One after the other: the first process registers the handlers that the others serve.
    let mut running = Vec::new();
    for part in &parts {
        let server = part.start(&database);
        server.logged("ready").await;
        running.push(server);
    }

    let mut sending = Sending::start(addresses.to_vec(), 0..ORDERS, 8);
    let mut applications = JoinSet::new();
    for application in 0..APPLICATIONS {
        applications.spawn(enqueue(pool.clone(), application));
    }
    for _ in 0..KILLS {
        // Each process is killed at a random time, whatever it does then.
        tokio::time::sleep(Duration::from_millis(rand::random_range(100..700))).await;
        let victim = rand::random_range(0..parts.len());
        running[victim].kill().await;
        running[victim] = parts[victim].start(&database);
    }
    sending.finish().await;
    while let Some(application) = applications.join_next().await {
        application.expect("an application");
    }
    // Deliveries that no client pulls here stay pending.
    let pending = "SELECT count(*) FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id
        WHERE EXISTS (SELECT FROM hookfast.attempts a WHERE a.handler = h.name)";
    wait_until_within(Duration::from_secs(240), "nothing pending", async || {
        count(&pool, pending).await == 0
    })
    .await;

    let all = 2 * ORDERS as i64;
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM hookfast.events WHERE source <> 'hookfast'"
        )
        .await,
        all
    );
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM hookfast.events WHERE payload->>'what' = 'ghost'"
        )
        .await,
        0
    );
    assert_eq!(
        count(&pool, "SELECT count(*) FROM hookfast.dead_letters").await,
        0
    );
    // The Rust example receives only Airalo's orders.
    let orders = ORDERS as i64;
    let mut expected = vec![
        ("rust".to_owned(), orders, orders),
        ("sql".to_owned(), all, all),
    ];
    expected.push(("sql_ordered".to_owned(), all / 2, all / 2));
    for (language, handler) in pulled {
        if languages.contains(&language) {
            let events = if handler.ends_with("_ordered") {
                all / 2
            } else {
                all
            };
            expected.push((handler.to_owned(), events, events));
        }
    }
    expected.sort();
    assert_eq!(books(&pool).await, expected);
    let out_of_order = "
        SELECT count(*) FROM (
            SELECT (payload->>'step')::int - lag((payload->>'step')::int, 1, -1)
                OVER (PARTITION BY handler, payload->>'key' ORDER BY entry) AS forward
            FROM shop.ledger WHERE handler LIKE '%\\_ordered'
        ) steps WHERE forward <> 1";
    assert_eq!(count(&pool, out_of_order).await, 0);
    // The run was hard enough: attempts were lost with their processes, and failed.
    for outcome in [
        "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'lost'",
        "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'retry'",
    ] {
        assert!(count(&pool, outcome).await > 0, "{outcome}");
    }
}

//! The private Postgres cluster: created, found, taken over, rejected.

use crate::support::{postgres::durable_cluster, wait_until};
use hookfast::internals::dev::postgres::{Cluster, ClusterError, ClusterOptions, Durability};
use nix::{
    sys::{
        signal::{Signal, kill},
        statvfs::statvfs,
    },
    unistd::{Pid, geteuid, getpgid},
};
use sqlx::{Connection, PgConnection};
use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};

/// The variable that passes the location of its cluster to [`owner`].
const OWNED: &str = "HOOKFAST_TEST_OWNED_DIR";

/// A folder that the user of Postgres may enter, so that a cluster in it is in the requested place.
fn open_folder() -> TempDir {
    folder(0o711)
}

fn folder(mode: u32) -> TempDir {
    // A new cluster has hundreds of small files, and no test here simulates a power failure.
    let memory = Path::new("/dev/shm");
    let has_room = statvfs(memory)
        .is_ok_and(|found| found.blocks_available() * found.fragment_size() >= 2 << 30);
    let folder = if has_room {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let folder = folder.expect("a temporary folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(mode)).expect("a mode");
    folder
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").mode() & 0o777
}

fn options(dir: &Path) -> ClusterOptions {
    ClusterOptions::in_dir(dir)
}

async fn start(dir: &Path) -> Cluster {
    Cluster::start(options(dir))
        .await
        .expect("a private Postgres")
}

async fn query(url: &str, statement: &'static str) -> String {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    sqlx::query_scalar(statement)
        .fetch_one(&mut connection)
        .await
        .expect("an answer")
}

async fn execute(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    sqlx::query(statement)
        .execute(&mut connection)
        .await
        .expect("a statement");
}

fn postmaster(data: &Path) -> Pid {
    let file = fs::read_to_string(data.join("postmaster.pid")).expect("a pid file");
    Pid::from_raw(file.lines().next().expect("a line").parse().expect("a pid"))
}

fn runs(pid: Pid) -> bool {
    // A zombie does not run; its parent may take long to collect it.
    let is_zombie =
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    kill(pid, None).is_ok() && !is_zombie
}

/// A process that owns a cluster: this binary, running [`owner`].
struct Owner {
    process: Child,
    url: String,
    data: PathBuf,
}

impl Owner {
    fn spawn(dir: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        command
            .args(["--exact", "dev_postgres::owner", "--ignored", "--nocapture"])
            .env(OWNED, dir);
        let process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this binary again");
        Self {
            process,
            url: String::new(),
            data: PathBuf::new(),
        }
    }

    async fn start(dir: &str) -> Self {
        let mut owner = Self::spawn(dir);
        let output = owner.process.stdout.take().expect("piped");
        let output = tokio::process::ChildStdout::from_std(output).expect("a pipe");
        let mut lines = BufReader::new(output).lines();
        while owner.url.is_empty() {
            let line = lines
                .next_line()
                .await
                .expect("a line")
                .expect("the owner reports that it is ready");
            if let Some((url, data)) = line
                .split_once("READY ")
                .and_then(|(_, ready)| ready.split_once(' '))
            {
                (owner.url, owner.data) = (url.to_owned(), data.into());
            }
        }
        owner
    }

    fn kill(&mut self) {
        self.process.kill().expect("SIGKILL");
        self.process.wait().expect("it ends");
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = (self.process.kill(), self.process.wait());
    }
}

/// Not a test: the process that the tests kill.
#[tokio::test]
#[ignore = "run by other tests, as a process of its own"]
#[allow(clippy::print_stdout, reason = "the test reads this line")]
async fn owner() {
    let dir = std::env::var(OWNED).expect("set by the test that starts this process");
    let options = match dir.as_str() {
        "temporary" => ClusterOptions::temporary(Durability::Fast),
        dir => ClusterOptions::in_dir(dir),
    };
    let cluster = Cluster::start(options).await.expect("a private Postgres");
    println!("READY {} {}", cluster.url(), cluster.data_dir().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_cluster_starts_answers_stops_and_starts_again() {
    let folder = open_folder();
    let dir = folder.path().join("hookfast");
    let mut cluster = start(&dir).await;
    assert!(cluster.is_running());
    let url = cluster.url();
    let settings = "SELECT concat_ws(' ', current_setting('fsync'), current_setting('synchronous_commit'), \
        current_setting('full_page_writes'), current_setting('server_encoding'), current_setting('TimeZone'), \
        current_setting('max_connections'), current_setting('listen_addresses'), current_database(), current_user)";
    assert_eq!(
        query(&url, settings).await,
        "on on on UTF8 UTC 200 127.0.0.1 hookfast hookfast"
    );
    execute(
        &url,
        "CREATE TABLE kept AS SELECT 'still there'::text AS what",
    )
    .await;
    let pid = postmaster(&cluster.data_dir());
    assert_eq!(
        getpgid(Some(pid)),
        Ok(pid),
        "a ctrl-C in the terminal reaches Hookfast and not Postgres"
    );

    cluster.stop().await.expect("it stops");
    assert!(!runs(pid));
    assert!(!dir.join("database-url").exists());

    let cluster = start(&dir).await;
    assert_eq!(
        query(&cluster.url(), "SELECT what FROM kept").await,
        "still there"
    );
    let password = |url: &str| {
        url::Url::parse(url)
            .expect("a URL")
            .password()
            .map(ToOwned::to_owned)
    };
    assert_eq!(password(&cluster.url()), password(&url));
}

#[tokio::test]
async fn files_of_the_cluster_are_private() {
    let folder = open_folder();
    let dir = folder.path().join("hookfast");
    let cluster = start(&dir).await;
    assert_eq!(
        mode(&dir) & 0o067,
        0,
        "others have no access to the directory, and the group can only enter it"
    );
    for file in ["password", "database-url", "postgres.log", "lock"] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
    assert_eq!(
        (mode(&cluster.data_dir()), mode(cluster.socket_dir())),
        (0o700, 0o700)
    );
    assert_eq!(
        fs::read_to_string(dir.join("database-url"))
            .expect("readable by us")
            .trim(),
        cluster.url()
    );

    let mut url = url::Url::parse(&cluster.url()).expect("a URL");
    let password = url.password().expect("a password").to_owned();
    assert!(password.len() >= 32 && !format!("{cluster:?}").contains(&password));
    url.set_password(Some("wrong")).expect("a URL with a host");
    let by_port = PgConnection::connect(url.as_str()).await;
    let socket = sqlx::postgres::PgConnectOptions::new_without_pgpass()
        .socket(cluster.socket_dir())
        .port(cluster.port())
        .username("hookfast")
        .database("hookfast");
    let by_socket = PgConnection::connect_with(&socket.clone().password("wrong")).await;
    for refused in [by_port, by_socket] {
        let error = refused.expect_err("a wrong password");
        assert_eq!(
            error
                .as_database_error()
                .and_then(|error| error.code())
                .as_deref(),
            Some("28P01"),
            "{error}"
        );
    }
    PgConnection::connect_with(&socket.password(&password))
        .await
        .expect("the right password, by the socket");
}

#[tokio::test]
async fn postgres_ends_with_its_killed_owner_and_the_next_takes_over() {
    let folder = open_folder();
    let dir = folder.path().join("hookfast");
    let mut owner = Owner::start(dir.to_str().expect("UTF-8")).await;
    let second = Cluster::start(options(&dir))
        .await
        .expect_err("one owner at a time");
    assert!(matches!(second, ClusterError::InUse { .. }), "{second}");
    assert!(
        second
            .to_string()
            .contains(&format!("process {}", owner.process.id())),
        "{second}"
    );
    execute(
        &owner.url,
        "CREATE TABLE kept AS SELECT 'still there'::text AS what",
    )
    .await;

    let pid = postmaster(&owner.data);
    owner.kill();
    wait_until("Postgres to end after its owner", async || !runs(pid)).await;

    // Without waiting: the process may still run, or be stopping.
    let mut owner = Owner::start(dir.to_str().expect("UTF-8")).await;
    owner.kill();
    let cluster = start(&dir).await;
    assert_eq!(
        query(&cluster.url(), "SELECT what FROM kept").await,
        "still there"
    );
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_postgres_without_an_owner_is_taken_over() {
    let folder = open_folder();
    let dir = folder.path().join("hookfast");
    let mut owner = Owner::start(dir.to_str().expect("UTF-8")).await;
    let pid = postmaster(&owner.data);
    kill(watcher_of(&owner.data), Signal::SIGKILL).expect("SIGKILL");
    owner.kill();
    assert!(runs(pid), "no process is left that could end it");
    let cluster = start(&dir).await;
    assert!(!runs(pid));
    assert_ne!(postmaster(&cluster.data_dir()), pid);
}

/// The process that runs `watcher.sh` for this data directory.
#[cfg(target_os = "linux")]
fn watcher_of(data: &Path) -> Pid {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let found: Vec<i32> = processes
        .filter_map(|process| {
            let arguments = fs::read(process.path().join("cmdline")).ok()?;
            let arguments = String::from_utf8_lossy(&arguments);
            let is_it =
                arguments.contains("hookfast-watcher") && arguments.contains(data.to_str()?);
            is_it
                .then(|| process.file_name().to_str()?.parse().ok())
                .flatten()
        })
        .collect();
    assert_eq!(found.len(), 1, "one watcher");
    Pid::from_raw(found[0])
}

#[tokio::test]
async fn a_temporary_cluster_leaves_no_files() {
    let mut owner = Owner::start("temporary").await;
    let place = owner
        .data
        .parent()
        .expect("the data has a directory")
        .to_owned();
    assert!(place.exists());
    owner.kill();
    wait_until("the watcher to remove the files", async || !place.exists()).await;

    let cluster = Cluster::start(ClusterOptions::temporary(Durability::Fast))
        .await
        .expect("a private Postgres");
    let place = cluster
        .data_dir()
        .parent()
        .expect("the data has a directory")
        .to_owned();
    assert_eq!(query(&cluster.url(), "SHOW fsync").await, "off");
    drop(cluster);
    assert!(!place.exists());
}

#[tokio::test]
async fn a_crash_loses_nothing_and_the_port_stays() {
    let mut cluster = durable_cluster().await;
    let (url, port) = (cluster.url(), cluster.port());
    execute(
        &url,
        "CREATE TABLE kept AS SELECT 'still there'::text AS what",
    )
    .await;
    cluster.stop_immediate().await.expect("it stops");
    assert!(!cluster.is_running());

    let taken = TcpListener::bind(("127.0.0.1", port)).expect("its port is free");
    let refused = cluster.restart().await.expect_err("its port is taken");
    assert!(
        refused.to_string().contains("in use"),
        "the log contains the reason: {refused}"
    );
    drop(taken);

    cluster.restart().await.expect("it starts again");
    assert_eq!(
        (
            query(&url, "SELECT what FROM kept").await.as_str(),
            cluster.port()
        ),
        ("still there", port)
    );
    let log = fs::read_to_string(cluster.log_file()).expect("a log");
    assert!(
        log.contains("was not properly shut down"),
        "it was a crash:\n{log}"
    );
}

#[tokio::test]
async fn a_half_made_cluster_is_made_again() {
    let folder = open_folder();
    let dir = folder.path().join("hookfast");
    let mut owner = Owner::spawn(dir.to_str().expect("UTF-8"));
    let unfinished = || {
        let entries = fs::read_dir(&dir)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        entries.filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("init-"))
        })
    };
    wait_until("initdb to have begun", async || {
        unfinished().any(|path| path.join("pg/PG_VERSION").exists())
    })
    .await;
    owner.kill();
    assert!(
        !dir.join("pg").exists(),
        "it was killed before the data was complete"
    );
    let left = dir.join("init-left");
    fs::create_dir_all(left.join("pg")).expect("a directory");

    let cluster = start(&dir).await;
    assert_eq!(query(&cluster.url(), "SELECT 'yes'").await, "yes");
    assert!(!left.exists());
}

#[tokio::test]
async fn a_reused_pid_is_no_obstacle() {
    let folder = open_folder();
    let dir = folder.path().join("hookfast");
    let cluster = start(&dir).await;
    let (data, owner) = (
        cluster.data_dir(),
        fs::metadata(cluster.data_dir()).expect("metadata"),
    );
    let pid_file = fs::read_to_string(data.join("postmaster.pid")).expect("a pid file");
    cluster.stop().await.expect("it stops");

    // The same user as Postgres: other users' processes would not be mistaken for it.
    let mut sleep = Command::new("sleep");
    sleep.arg("600").current_dir("/");
    if geteuid().is_root() {
        sleep.uid(owner.uid()).gid(owner.gid());
    }
    let mut sleep = sleep.spawn().expect("sleep");
    let (_, rest) = pid_file.split_once('\n').expect("lines");
    fs::write(
        data.join("postmaster.pid"),
        format!("{}\n{rest}", sleep.id()),
    )
    .expect("a pid file");

    let started = Cluster::start(options(&dir)).await;
    let untouched = matches!(sleep.try_wait(), Ok(None));
    let _ = (sleep.kill(), sleep.wait());
    started.expect("a private Postgres");
    assert!(untouched, "a process of another program was ended");
}

#[tokio::test]
async fn a_directory_that_postgres_cannot_reach_is_no_obstacle() {
    let closed = folder(0o700);
    let dir = closed.path().join("hookfast");
    let cluster = start(&dir).await;
    execute(
        &cluster.url(),
        "CREATE TABLE kept AS SELECT 'still there'::text AS what",
    )
    .await;
    let location = dir.join("pg.location");
    // Only root runs Postgres as another user.
    assert_eq!(location.exists(), geteuid().is_root());
    assert_eq!(mode(&dir), 0o700);
    let place = cluster
        .data_dir()
        .parent()
        .expect("the data has a directory")
        .to_owned();
    cluster.stop().await.expect("it stops");

    let cluster = start(&dir).await;
    assert_eq!(
        query(&cluster.url(), "SELECT what FROM kept").await,
        "still there"
    );
    cluster.stop().await.expect("it stops");
    if !geteuid().is_root() {
        assert_eq!(place, dir.canonicalize().expect("it exists"));
        return;
    }
    assert_eq!(
        fs::read_to_string(&location).expect("a location").trim(),
        place.to_str().expect("UTF-8")
    );
    assert_eq!((mode(&location), mode(&place)), (0o600, 0o710));
    fs::set_permissions(&place, Permissions::from_mode(0o777)).expect("a mode");
    let open_place = Cluster::start(options(&dir))
        .await
        .expect_err("a directory open to all is not ours");
    fs::remove_dir_all(&place).expect("it is removed");
    let no_place = Cluster::start(options(&dir))
        .await
        .expect_err("the directory does not exist");
    for error in [open_place, no_place] {
        assert!(matches!(error, ClusterError::BadLocation { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_directory_of_other_things_is_not_closed_to_others() {
    let folder = folder(0o755);
    fs::write(folder.path().join("thesis.txt"), "").expect("a file");
    let error = Cluster::start(options(folder.path()))
        .await
        .expect_err("it is open and not empty");
    assert!(matches!(error, ClusterError::NotPrivate { .. }), "{error}");
    assert_eq!(mode(folder.path()), 0o755);
}

/// A lock, a password or a location that another user created there would be mistaken for
/// Hookfast's.
#[tokio::test]
async fn the_contents_of_a_directory_that_others_can_write_to_are_not_used() {
    let folder = folder(0o777);
    fs::write(folder.path().join("lock"), "").expect("a file");
    let error = Cluster::start(options(folder.path()))
        .await
        .expect_err("its contents may belong to others");
    assert!(matches!(error, ClusterError::NotPrivate { .. }), "{error}");
}

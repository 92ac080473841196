//! A private Postgres cluster from the installed binaries: for `hookfast dev` and for tests.
//!
//! It runs as our child and ends with us, also when we are killed (`watcher`). Its files are private, its port is on
//! the loopback address, its password is generated. Where we are root, who Postgres refuses to be, it runs as
//! `postgres` or `nobody` (`account`), if need be in another place than the one asked for (`place`). The next
//! start takes over whatever a killed predecessor left (`takeover`, `initdb`); of two processes at once the second
//! gets an error (`lock`).

mod account;
mod binaries;
mod data_dir;
mod error;
pub(crate) mod files;
mod initdb;
mod lock;
mod options;
mod port;
mod server;
mod takeover;
mod watcher;

pub use error::ClusterError;
pub use options::{ClusterOptions, Durability, Home};

use binaries::Binaries;
use data_dir::Place;
use error::Doing;
use nix::sys::signal::Signal;
use port::Port;
use secrecy::{ExposeSecret, SecretString};
use server::Server;
use sqlx::{
    ConnectOptions, Connection,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The user that owns everything in the cluster; a superuser of this cluster only.
const USER: &str = "hookfast";

/// The database.
const DATABASE: &str = "hookfast";

/// A private Postgres that runs. Dropped, it is stopped, which may block for some seconds.
pub struct Cluster {
    server: Option<Server>,
    port: u16,
    moved_from: Option<u16>,
    password: SecretString,
    binaries: Binaries,
    options: ClusterOptions,
    place: Arc<Place>,
}

impl Cluster {
    /// Starts a cluster, made first where there is none yet, and waits until it answers a connection of ours.
    ///
    /// # Errors
    /// [`ClusterError`]; each says what to do. Nothing is left running then.
    pub async fn start(options: ClusterOptions) -> Result<Self, ClusterError> {
        let cluster = blocking(move || Self::launch(options)).await?;
        cluster.answer().await?;
        Ok(cluster)
    }

    fn launch(options: ClusterOptions) -> Result<Self, ClusterError> {
        let place = Arc::new(match &options.home {
            Home::Dir(dir) => Place::of_dir(dir)?,
            Home::Temporary => Place::temporary(options.durability)?,
        });
        let data = place.data();
        let made_by = initdb::made_by(&data)?;
        let binaries = Binaries::find(made_by.map(|major| (major, data.as_path())))?;
        let password = initdb::ensure(&place, &binaries, options.durability)?;
        let (server, moved_from) = start_on_last_port(&place, &binaries, &options)?;
        let port = server.port();
        let cluster = Self {
            server: Some(server),
            port,
            moved_from,
            password,
            binaries,
            options,
            place,
        };
        if let Some(file) = cluster.url_file() {
            files::write_private(&file, &format!("{}\n", cluster.url()))
                .doing(|| format!("write {}", file.display()))?;
        }
        tracing::debug!(
            ?cluster,
            postgres = cluster.binaries.major,
            "private Postgres started"
        );
        Ok(cluster)
    }

    /// Connects for real, and makes the database where it is missing.
    async fn answer(&self) -> Result<(), ClusterError> {
        let connect = async |database: &str| {
            let options = PgConnectOptions::new_without_pgpass()
                .host("127.0.0.1")
                .port(self.port)
                .username(USER)
                .password(self.password.expose_secret())
                .database(database)
                .ssl_mode(PgSslMode::Disable);
            options.disable_statement_logging().connect().await
        };
        let answered = async {
            match connect(DATABASE).await {
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("3D000") => {
                    let mut connection = connect("postgres").await?;
                    sqlx::query("/* cluster: create */ CREATE DATABASE hookfast")
                        .execute(&mut connection)
                        .await?;
                    connection.close().await
                }
                connected => {
                    let mut connection = connected?;
                    connection.ping().await?;
                    connection.close().await
                }
            }
        };
        answered.await.map_err(|source| ClusterError::NoAnswer {
            log: self.place.log(),
            source,
        })
    }

    /// `postgres://hookfast:PASSWORD@127.0.0.1:PORT/hookfast`. It holds the password: never log it.
    pub fn url(&self) -> String {
        let password = self.password.expose_secret();
        format!(
            "postgres://{USER}:{password}@127.0.0.1:{}/{DATABASE}",
            self.port
        )
    }

    /// Where a person, or a script, finds the URL while the cluster runs: `database-url` in the directory asked for.
    fn url_file(&self) -> Option<PathBuf> {
        self.place.asked_for().map(|dir| dir.join("database-url"))
    }

    /// The port on 127.0.0.1; it stays the same through [`Cluster::restart`], and, in a directory that is kept, from one
    /// start to the next where it is free.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of the start before, where something else listens on it now: URLs with it are no longer right.
    pub fn moved_from(&self) -> Option<u16> {
        self.moved_from
    }

    /// Whether a URL names the cluster of that directory, whichever port it had when the URL was written: it has the
    /// cluster's own password.
    pub fn owns_url(dir: &Path, url: &str) -> bool {
        let Ok(url) = url::Url::parse(url) else {
            return false;
        };
        let password = Place::read_password(dir);
        url.username() == USER && password.is_some() && url.password() == password.as_deref()
    }

    /// The directory of the Unix socket. Only the user Postgres runs as, and root, can enter it.
    pub fn socket_dir(&self) -> &Path {
        self.place.sockets()
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.place.data()
    }

    /// The file Postgres logs to.
    pub fn log_file(&self) -> PathBuf {
        self.place.log()
    }

    /// Where `postgres`, and on most systems `psql`, is.
    pub fn bin_dir(&self) -> &Path {
        &self.binaries.dir
    }

    /// Whether Postgres runs; false after [`Cluster::stop_immediate`], or where it ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.server
            .as_mut()
            .is_some_and(|server| !server.has_ended())
    }

    /// Stops it in good order: connections are broken off, what was committed is on disk.
    ///
    /// # Errors
    /// [`ClusterError::Interrupted`] where the runtime is shutting down; Postgres ends all the same.
    pub async fn stop(self) -> Result<(), ClusterError> {
        blocking(move || {
            drop(self);
            Ok(())
        })
        .await
    }

    /// Stops it at once, without a checkpoint: to its clients, and to its recovery, this is a crash.
    ///
    /// # Errors
    /// As [`Cluster::stop`].
    pub async fn stop_immediate(&mut self) -> Result<(), ClusterError> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        blocking(move || {
            server.stop(Signal::SIGQUIT);
            Ok(())
        })
        .await
    }

    /// Starts it again, on the same port; stops it first where it runs.
    ///
    /// # Errors
    /// As [`Cluster::start`]. It can then be tried again.
    pub async fn restart(&mut self) -> Result<(), ClusterError> {
        let (running, port) = (self.server.take(), Port::Fixed(self.port));
        let (place, binaries, options) = (
            Arc::clone(&self.place),
            self.binaries.clone(),
            self.options.clone(),
        );
        let server = blocking(move || {
            drop(running);
            Server::start(&place, &binaries, &options, port)
        })
        .await?;
        self.server = Some(server);
        self.answer().await
    }
}

/// In a directory that is kept: on the port of the start before, where that is free. Also that port, where it is not.
fn start_on_last_port(
    place: &Arc<Place>,
    binaries: &Binaries,
    options: &ClusterOptions,
) -> Result<(Server, Option<u16>), ClusterError> {
    let file = place.port_file();
    let last: Option<u16> = fs::read_to_string(&file)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let server = Server::start(
        place,
        binaries,
        options,
        last.map_or(Port::Any, Port::Preferred),
    )?;
    if last != Some(server.port()) && place.asked_for().is_some() {
        files::write_private(&file, &format!("{}\n", server.port()))
            .doing(|| format!("write {}", file.display()))?;
    }
    let moved_from = last.filter(|last| *last != server.port());
    Ok((server, moved_from))
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(file) = self.url_file() {
            let _ = fs::remove_file(file);
        }
    }
}

impl fmt::Debug for Cluster {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("port", &self.port)
            .field("data", &self.place.data())
            .field("durability", &self.options.durability)
            .finish_non_exhaustive()
    }
}

/// Runs what waits for processes and disks where it holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClusterError> + Send + 'static,
) -> Result<T, ClusterError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(ClusterError::Interrupted),
    }
}

/// The last lines of a program's output, enough to see what went wrong.
fn tail(text: &str) -> &str {
    const LENGTH: usize = 1500;
    let text = text.trim();
    &text[text.ceil_char_boundary(text.len().saturating_sub(LENGTH))..]
}

//! A private Postgres cluster from the installed binaries, for `hookfast dev` and for tests.
//!
//! Postgres runs as our child and ends with us, even if we are killed (`watcher`). Its files are
//! private, it listens on the loopback address, and its password is generated. If we are root,
//! which Postgres refuses, it runs as `postgres` or `nobody` (`account`), if necessary in another
//! directory than the requested one (`data_dir`). The next start cleans up after a killed
//! predecessor (`takeover`, `initdb`). Of two processes at once the second gets an error (`lock`).

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
use data_dir::DataDir;
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

/// The owner of everything in the cluster. It is a superuser of this cluster only.
const USER: &str = "hookfast";

const DATABASE: &str = "hookfast";

/// A private Postgres that runs. Dropping it stops Postgres, which may block for some seconds.
pub struct Cluster {
    server: Option<Server>,
    port: u16,
    moved_from: Option<u16>,
    password: SecretString,
    binaries: Binaries,
    options: ClusterOptions,
    data_dir: Arc<DataDir>,
}

impl Cluster {
    /// Starts a cluster, which is made first if there is none, and waits until it accepts a
    /// connection.
    ///
    /// # Errors
    /// [`ClusterError`], which says what to do next. After an error nothing is left running.
    pub async fn start(options: ClusterOptions) -> Result<Self, ClusterError> {
        let cluster = blocking(move || Self::launch(options)).await?;
        cluster.answer().await?;
        Ok(cluster)
    }

    fn launch(options: ClusterOptions) -> Result<Self, ClusterError> {
        let data_dir = Arc::new(match &options.home {
            Home::Dir(dir) => DataDir::of_dir(dir)?,
            Home::Temporary => DataDir::temporary(options.durability)?,
        });
        let data = data_dir.data();
        let made_by = initdb::made_by(&data)?;
        let binaries = Binaries::find(made_by.map(|major| (major, data.as_path())))?;
        let password = initdb::ensure(&data_dir, &binaries, options.durability)?;
        let (server, moved_from) = start_on_last_port(&data_dir, &binaries, &options)?;
        let port = server.port();
        let cluster = Self {
            server: Some(server),
            port,
            moved_from,
            password,
            binaries,
            options,
            data_dir,
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

    /// Opens a real connection, and creates the database if it is missing.
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
            log: self.data_dir.log(),
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

    /// The file with the URL while the cluster runs, for people and scripts: `database-url` in the
    /// requested directory.
    fn url_file(&self) -> Option<PathBuf> {
        self.data_dir
            .requested()
            .map(|dir| dir.join("database-url"))
    }

    /// The port on 127.0.0.1. It stays the same through [`Cluster::restart`]. If the directory is
    /// kept, it also stays the same from one start to the next, if it is free.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of the previous start, if something else listens on it now. URLs with that port are
    /// no longer right.
    pub fn moved_from(&self) -> Option<u16> {
        self.moved_from
    }

    /// Whether a URL names the cluster of this directory, recognised by the cluster's password. The
    /// port may have changed since the URL was written.
    pub fn owns_url(dir: &Path, url: &str) -> bool {
        let Ok(url) = url::Url::parse(url) else {
            return false;
        };
        let password = DataDir::read_password(dir);
        url.username() == USER && password.is_some() && url.password() == password.as_deref()
    }

    /// The directory of the Unix socket. Only root and the user that Postgres runs as can enter it.
    pub fn socket_dir(&self) -> &Path {
        self.data_dir.sockets()
    }

    /// The data directory of the cluster.
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir.data()
    }

    /// The file that Postgres logs to.
    pub fn log_file(&self) -> PathBuf {
        self.data_dir.log()
    }

    /// Whether Postgres runs. False after [`Cluster::stop_immediate`], or if Postgres ended by
    /// itself.
    pub fn is_running(&mut self) -> bool {
        self.server
            .as_mut()
            .is_some_and(|server| !server.has_ended())
    }

    /// Stops Postgres cleanly: connections are closed, and committed data is on disk.
    ///
    /// # Errors
    /// [`ClusterError::Interrupted`] if the runtime is shutting down. Postgres ends in any case.
    pub async fn stop(self) -> Result<(), ClusterError> {
        blocking(move || {
            drop(self);
            Ok(())
        })
        .await
    }

    /// Stops Postgres at once, without a checkpoint. For its clients and its recovery this is a
    /// crash.
    ///
    /// # Errors
    /// The same as [`Cluster::stop`].
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

    /// Starts Postgres again on the same port. If it runs, it is stopped first.
    ///
    /// # Errors
    /// The same as [`Cluster::start`]. The restart can then be retried.
    pub async fn restart(&mut self) -> Result<(), ClusterError> {
        let (running, port) = (self.server.take(), Port::Fixed(self.port));
        let (data_dir, binaries, options) = (
            Arc::clone(&self.data_dir),
            self.binaries.clone(),
            self.options.clone(),
        );
        let server = blocking(move || {
            drop(running);
            Server::start(&data_dir, &binaries, &options, port)
        })
        .await?;
        self.server = Some(server);
        self.answer().await
    }
}

/// Starts on the port of the previous start, if the directory is kept and the port is free. Also
/// returns that port if it is not free.
fn start_on_last_port(
    data_dir: &Arc<DataDir>,
    binaries: &Binaries,
    options: &ClusterOptions,
) -> Result<(Server, Option<u16>), ClusterError> {
    let file = data_dir.port_file();
    let last: Option<u16> = fs::read_to_string(&file)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let server = Server::start(
        data_dir,
        binaries,
        options,
        last.map_or(Port::Any, Port::Preferred),
    )?;
    if last != Some(server.port()) && data_dir.requested().is_some() {
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
    /// Omits the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("port", &self.port)
            .field("data", &self.data_dir.data())
            .field("durability", &self.options.durability)
            .finish_non_exhaustive()
    }
}

/// Runs work that waits for processes and disks on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClusterError> + Send + 'static,
) -> Result<T, ClusterError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(ClusterError::Interrupted),
    }
}

/// The last lines of a program's output, enough to see what failed.
fn tail(text: &str) -> &str {
    const LENGTH: usize = 1500;
    let text = text.trim();
    &text[text.ceil_char_boundary(text.len().saturating_sub(LENGTH))..]
}

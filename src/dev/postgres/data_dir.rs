//! The directory of a cluster's files. If Postgres' user cannot reach the requested directory, the
//! file `pg.location` in it names a private directory elsewhere.

use super::{ClusterError, Durability, account::Account, error::Doing, files, lock::Lock};
use nix::{sys::statvfs::statvfs, unistd::geteuid};
use std::{
    fs::{self, DirBuilder},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

/// The name of the password file in the cluster's directory.
const PASSWORD: &str = "password";

/// The longest socket path that every system supports, in bytes (Linux: 107, macOS: 103).
const LONGEST_SOCKET: usize = 100;

/// The directory of a cluster's files, locked for this process.
///
/// It holds `pg` (the data), `password`, `port`, `postgres.log`, `s` (sockets), `lock`, and
/// `init-…` while `initdb` runs.
#[derive(Debug)]
pub(super) struct DataDir {
    pub(super) account: Account,
    root: PathBuf,
    sockets: PathBuf,
    requested: Option<PathBuf>,
    _locks: Vec<Lock>,
}

impl DataDir {
    /// The data_dir that belongs to `dir`, created if it is missing. It stays locked until the value
    /// is dropped.
    pub(super) fn of_dir(dir: &Path) -> Result<Self, ClusterError> {
        let dir = make_dir(dir)?;
        let mut locks = vec![Lock::take(&dir)?];
        let location = dir.join("pg.location");
        let (root, account) = match fs::read_to_string(&location) {
            Ok(named) => {
                let root = PathBuf::from(named.trim_end_matches('\n'));
                let account = check_named(&location, &root)?;
                (root, account)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => match enterable(&dir)? {
                Some(account) => (dir.clone(), account),
                None => {
                    let account = Account::for_new_data()?;
                    let root = new_elsewhere(account)?;
                    files::write_private(&location, &format!("{}\n", root.display()))
                        .doing(|| format!("write {}", location.display()))?;
                    (root, account)
                }
            },
            Err(source) => {
                return Err(ClusterError::Io {
                    doing: format!("read {}", location.display()),
                    source,
                });
            }
        };
        if root != dir {
            // A copied `pg.location` names the same data_dir a second time, so the data_dir has its own
            // lock.
            locks.push(Lock::take(&root)?);
        }
        Ok(Self {
            sockets: sockets_for(&root),
            account,
            root,
            requested: Some(dir),
            _locks: locks,
        })
    }

    /// A data_dir that is removed together with the cluster.
    pub(super) fn temporary(durability: Durability) -> Result<Self, ClusterError> {
        let account = Account::for_new_data()?;
        let in_memory = Path::new("/dev/shm");
        // If the data need not be durable, it is kept in memory: cloning a database takes 12 ms
        // there, and 250 ms on a slow disk.
        let parent = if durability == Durability::Fast
            && has_room(in_memory)
            && account.can_enter(in_memory)
        {
            in_memory.to_owned()
        } else {
            Some(std::env::temp_dir())
                .filter(|dir| account.can_enter(dir))
                .unwrap_or_else(|| "/tmp".into())
        };
        let root = files::new_private_dir(&parent, "hookfast-")
            .and_then(|root| root.canonicalize())
            .doing(|| format!("make a directory in {}", parent.display()))?;
        // The watcher runs as that user and must be able to remove the directory.
        account.own(&root)?;
        Ok(Self {
            sockets: sockets_for(&root),
            account,
            root,
            requested: None,
            _locks: Vec::new(),
        })
    }

    /// The password of the cluster that belongs to `dir`. `None` if there is none, or if we may not
    /// read it.
    pub(super) fn read_password(dir: &Path) -> Option<String> {
        let root = match fs::read_to_string(dir.join("pg.location")) {
            Ok(named) => PathBuf::from(named.trim_end_matches('\n')),
            Err(_) => dir.to_owned(),
        };
        let text = fs::read_to_string(root.join(PASSWORD)).ok()?;
        Some(text.trim_end().to_owned()).filter(|password| !password.is_empty())
    }

    /// Creates an empty socket directory.
    pub(super) fn make_sockets(&self) -> Result<(), ClusterError> {
        self.remove_sockets();
        DirBuilder::new()
            .mode(0o700)
            .create(&self.sockets)
            .doing(|| format!("make {}", self.sockets.display()))?;
        self.account.own(&self.sockets)
    }

    /// Removes the socket directory with all that a killed Postgres has left in it.
    pub(super) fn remove_sockets(&self) {
        // If this fails, either there is no directory, or creating it again fails and reports the
        // cause.
        let _ = fs::remove_dir_all(&self.sockets);
    }

    /// The directories that the watcher must remove if this process is killed.
    pub(super) fn leftovers(&self) -> Vec<&Path> {
        let mut leftovers = Vec::new();
        if self.requested.is_none() {
            leftovers.push(self.root.as_path());
        }
        if !self.sockets.starts_with(&self.root) {
            leftovers.push(&self.sockets);
        }
        leftovers
    }

    /// The requested directory. A temporary data_dir has none.
    pub(super) fn requested(&self) -> Option<&Path> {
        self.requested.as_deref()
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.join("pg")
    }

    pub(super) fn password_file(&self) -> PathBuf {
        self.root.join(PASSWORD)
    }

    /// The file with the port of the last start.
    pub(super) fn port_file(&self) -> PathBuf {
        self.root.join("port")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    pub(super) fn sockets(&self) -> &Path {
        &self.sockets
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if !self.sockets.starts_with(&self.root) {
            self.remove_sockets();
        }
        if self.requested.is_none() {
            // If this fails, a directory stays in the folder for temporary files.
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// Creates the directory if it is missing, and checks that it is ours and private.
fn make_dir(dir: &Path) -> Result<PathBuf, ClusterError> {
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).doing(|| format!("make {}", parent.display()))?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(ClusterError::Io {
                doing: format!("make {}", dir.display()),
                source: error,
            });
        }
        _ => {}
    }
    let dir = dir
        .canonicalize()
        .doing(|| format!("find {}", dir.display()))?;
    let found = fs::metadata(&dir).doing(|| format!("inspect {}", dir.display()))?;
    if found.uid() != geteuid().as_raw() && !geteuid().is_root() {
        return Err(ClusterError::NotOurs {
            path: dir,
            uid: found.uid(),
        });
    }
    if found.mode() & 0o067 != 0 {
        // An existing directory with other files must not be closed to everybody by accident.
        let is_free = fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_none())
            && found.mode() & 0o1000 == 0;
        // If other users can write here, the files may be theirs.
        let may_be_theirs = found.mode() & 0o022 != 0;
        if !is_free && (may_be_theirs || !dir.join("lock").is_file()) {
            return Err(ClusterError::NotPrivate { dir });
        }
        files::set_mode(&dir, 0o700).doing(|| format!("make {} private", dir.display()))?;
    }
    Ok(dir)
}

/// The account that can work in `dir`: its owner, or, if we are root, an unprivileged user who can
/// pass through. `None` if that user cannot reach it.
fn enterable(dir: &Path) -> Result<Option<Account>, ClusterError> {
    let (data, inspecting) = (dir.join("pg"), || format!("inspect {}", dir.display()));
    let owner = fs::metadata(dir).doing(inspecting)?.uid();
    let exists = data.try_exists().doing(inspecting)?;
    let account = if exists {
        Account::for_owner_of(&data)?
    } else if owner != 0 {
        Account::for_owner_of(dir)?
    } else {
        Account::for_new_data()?
    };
    if account.is_another() && owner == 0 {
        account.own_group(dir)?;
        files::set_mode(dir, 0o710).doing(|| format!("change the mode of {}", dir.display()))?;
    }
    if account.can_enter(dir) {
        return Ok(Some(account));
    }
    if exists {
        return Err(ClusterError::Unreachable {
            dir: dir.to_owned(),
            uid: account.uid(),
        });
    }
    files::set_mode(dir, 0o700).doing(|| format!("change the mode of {}", dir.display()))?;
    Ok(None)
}

/// Creates a private place outside the requested directory. Only for root: nobody else runs
/// Postgres as another user.
fn new_elsewhere(account: Account) -> Result<PathBuf, ClusterError> {
    let parents = [
        PathBuf::from("/var/lib/hookfast"),
        PathBuf::from("/var/tmp"),
    ];
    // The first parent belongs to root alone. In the second, any user may create files, but nobody
    // can predict this name, and the sticky bit prevents renaming.
    let _ = DirBuilder::new().mode(0o711).create(&parents[0]);
    for parent in &parents {
        let usable = fs::symlink_metadata(parent).is_ok_and(|found| {
            let closed = found.mode() & 0o022 == 0 || found.mode() & 0o1000 != 0;
            found.is_dir() && found.uid() == 0 && closed
        });
        if !usable {
            continue;
        }
        let Ok(root) = files::new_private_dir(parent, "") else {
            continue;
        };
        account.own_group(&root)?;
        files::set_mode(&root, 0o710).doing(|| format!("change the mode of {}", root.display()))?;
        if account.can_enter(&root) {
            return Ok(root);
        }
        let _ = fs::remove_dir(&root);
    }
    Err(ClusterError::Unreachable {
        dir: parents[0].clone(),
        uid: account.uid(),
    })
}

/// Checks that the data_dir named in `pg.location` is one that we created, and returns the account
/// that runs Postgres there.
fn check_named(file: &Path, data_dir: &Path) -> Result<Account, ClusterError> {
    let bad = |problem: &str| {
        Err(ClusterError::BadLocation {
            file: file.to_owned(),
            data_dir: data_dir.to_owned(),
            problem: problem.to_owned(),
        })
    };
    match fs::symlink_metadata(data_dir) {
        Err(error) => return bad(&format!("it cannot be read ({error})")),
        Ok(found) if !data_dir.is_absolute() || !found.is_dir() => {
            return bad("it is not a directory");
        }
        Ok(found) if found.uid() != geteuid().as_raw() => {
            return bad("it belongs to another user");
        }
        Ok(found) if found.mode() & 0o067 != 0 => return bad("other users can access it"),
        Ok(_) => {}
    }
    let data = data_dir.join("pg");
    let exists = data
        .try_exists()
        .doing(|| format!("inspect {}", data_dir.display()))?;
    let account = if exists {
        Account::for_owner_of(&data)?
    } else {
        Account::for_new_data()?
    };
    if account.can_enter(data_dir) {
        Ok(account)
    } else {
        bad("the user Postgres runs as cannot enter it")
    }
}

/// Whether 2 GiB are free. Containers often have only 64 MiB of shared memory.
fn has_room(dir: &Path) -> bool {
    statvfs(dir).is_ok_and(|found| {
        found
            .blocks_available()
            .saturating_mul(found.fragment_size())
            >= 2 << 30
    })
}

/// The socket directory: in the data_dir, or in `/tmp` while Postgres runs, if that path is not
/// usable.
fn sockets_for(root: &Path) -> PathBuf {
    let near = root.join("s");
    if is_fit_for_sockets(&near) {
        near
    } else {
        Path::new("/tmp").join(files::unforeseeable("hookfast-s-"))
    }
}

/// Whether the path is short enough and has no character with a meaning in a list of directories.
fn is_fit_for_sockets(dir: &Path) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-@+".contains(c);
    dir.join(".s.PGSQL.65535").as_os_str().len() <= LONGEST_SOCKET
        && dir.to_str().is_some_and(|s| s.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_or_odd_path_is_not_for_sockets() {
        assert!(is_fit_for_sockets(Path::new(
            "/home/someone/hookfast/.hookfast/s"
        )));
        assert!(!is_fit_for_sockets(Path::new("/home/some one/s")));
        assert!(!is_fit_for_sockets(Path::new("/home/a,b/s")));
        assert!(!is_fit_for_sockets(
            &Path::new("/home").join("x".repeat(81))
        ));
    }
}

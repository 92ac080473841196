//! Where a cluster's files are: in the directory asked for, or, where Postgres' user cannot get there, in a private
//! directory elsewhere that the file `pg.location` names.

use super::{ClusterError, Durability, account::Account, error::Doing, files, lock::Lock};
use nix::{sys::statvfs::statvfs, unistd::geteuid};
use std::{
    fs::{self, DirBuilder},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

/// The file of the password, in the cluster's directory.
const PASSWORD: &str = "password";

/// The longest path of a socket that every system takes, in bytes (Linux: 107, macOS: 103).
const LONGEST_SOCKET: usize = 100;

/// The directory of a cluster's files, and the right to use it.
///
/// In it: `pg` (the data), `password`, `port`, `postgres.log`, `s` (sockets), `lock`, and `init-…` while `initdb` runs.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) account: Account,
    root: PathBuf,
    sockets: PathBuf,
    asked_for: Option<PathBuf>,
    _locks: Vec<Lock>,
}

impl Place {
    /// The place that belongs to `dir`, made where there is none. It stays locked for as long as the value lives.
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
            // A copied `pg.location` names the same place a second time, so the place has a lock of its own.
            locks.push(Lock::take(&root)?);
        }
        Ok(Self {
            sockets: sockets_for(&root),
            account,
            root,
            asked_for: Some(dir),
            _locks: locks,
        })
    }

    /// A place that is gone with the cluster.
    pub(super) fn temporary(durability: Durability) -> Result<Self, ClusterError> {
        let account = Account::for_new_data()?;
        let in_memory = Path::new("/dev/shm");
        // Where nothing has to last, memory: a database is cloned in 12 ms there, on a slow disk in 250.
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
        // The watcher, who is that user, removes it.
        account.own(&root)?;
        Ok(Self {
            sockets: sockets_for(&root),
            account,
            root,
            asked_for: None,
            _locks: Vec::new(),
        })
    }

    /// The password of the cluster that belongs to `dir`; `None` where there is none, or it is not for us to read.
    pub(super) fn read_password(dir: &Path) -> Option<String> {
        let root = match fs::read_to_string(dir.join("pg.location")) {
            Ok(named) => PathBuf::from(named.trim_end_matches('\n')),
            Err(_) => dir.to_owned(),
        };
        let text = fs::read_to_string(root.join(PASSWORD)).ok()?;
        Some(text.trim_end().to_owned()).filter(|password| !password.is_empty())
    }

    /// Makes the socket directory, empty.
    pub(super) fn make_sockets(&self) -> Result<(), ClusterError> {
        self.remove_sockets();
        DirBuilder::new()
            .mode(0o700)
            .create(&self.sockets)
            .doing(|| format!("make {}", self.sockets.display()))?;
        self.account.own(&self.sockets)
    }

    /// Removes the socket directory with whatever a killed Postgres left in it.
    pub(super) fn remove_sockets(&self) {
        // Where it fails there is none, or making it anew fails and says why.
        let _ = fs::remove_dir_all(&self.sockets);
    }

    /// What has to go when Postgres has ended and we are no longer there to do it.
    pub(super) fn leftovers(&self) -> Vec<&Path> {
        let mut leftovers = Vec::new();
        if self.asked_for.is_none() {
            leftovers.push(self.root.as_path());
        }
        if !self.sockets.starts_with(&self.root) {
            leftovers.push(&self.sockets);
        }
        leftovers
    }

    /// The directory asked for; a temporary place has none.
    pub(super) fn asked_for(&self) -> Option<&Path> {
        self.asked_for.as_deref()
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

    /// Where the port of the last start is kept.
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

impl Drop for Place {
    fn drop(&mut self) {
        if !self.sockets.starts_with(&self.root) {
            self.remove_sockets();
        }
        if self.asked_for.is_none() {
            // Where it fails, a directory stays in the folder for temporary files.
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// Makes the directory where it is missing, and sees that it is ours and private.
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
    let found = fs::metadata(&dir).doing(|| format!("look at {}", dir.display()))?;
    if found.uid() != geteuid().as_raw() && !geteuid().is_root() {
        return Err(ClusterError::NotOurs {
            path: dir,
            uid: found.uid(),
        });
    }
    if found.mode() & 0o067 != 0 {
        // Whoever names a directory of other things here must not find it closed to everybody afterwards.
        let is_free = fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_none())
            && found.mode() & 0o1000 == 0;
        // Where others could write, what is in it may be theirs.
        let may_be_theirs = found.mode() & 0o022 != 0;
        if !is_free && (may_be_theirs || !dir.join("lock").is_file()) {
            return Err(ClusterError::NotPrivate { dir });
        }
        files::set_mode(&dir, 0o700).doing(|| format!("make {} private", dir.display()))?;
    }
    Ok(dir)
}

/// The account that can work in `dir`: its owner, or as root somebody smaller who may pass through. `None` where the
/// smaller one cannot get there.
fn enterable(dir: &Path) -> Result<Option<Account>, ClusterError> {
    let (data, looked_at) = (dir.join("pg"), || format!("look at {}", dir.display()));
    let owner = fs::metadata(dir).doing(looked_at)?.uid();
    let exists = data.try_exists().doing(looked_at)?;
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

/// Makes a private place outside, for root only: elsewhere nobody else's Postgres is run.
fn new_elsewhere(account: Account) -> Result<PathBuf, ClusterError> {
    let parents = [
        PathBuf::from("/var/lib/hookfast"),
        PathBuf::from("/var/tmp"),
    ];
    // The first is ours alone. In the second anybody may make things, but nobody can foresee this name or, the
    // directory being sticky, rename what is in it.
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

/// Sees that a named place is one that we made, and answers who runs Postgres there.
fn check_named(file: &Path, place: &Path) -> Result<Account, ClusterError> {
    let bad = |problem: &str| {
        Err(ClusterError::BadLocation {
            file: file.to_owned(),
            place: place.to_owned(),
            problem: problem.to_owned(),
        })
    };
    match fs::symlink_metadata(place) {
        Err(error) => return bad(&format!("that cannot be read ({error})")),
        Ok(found) if !place.is_absolute() || !found.is_dir() => {
            return bad("that is not a directory");
        }
        Ok(found) if found.uid() != geteuid().as_raw() => {
            return bad("that belongs to another user");
        }
        Ok(found) if found.mode() & 0o067 != 0 => return bad("other users can get at it"),
        Ok(_) => {}
    }
    let data = place.join("pg");
    let exists = data
        .try_exists()
        .doing(|| format!("look at {}", place.display()))?;
    let account = if exists {
        Account::for_owner_of(&data)?
    } else {
        Account::for_new_data()?
    };
    if account.can_enter(place) {
        Ok(account)
    } else {
        bad("the user Postgres runs as cannot enter it")
    }
}

/// Whether there are 2 GiB free; containers often have 64 MiB of shared memory.
fn has_room(dir: &Path) -> bool {
    statvfs(dir).is_ok_and(|found| {
        found
            .blocks_available()
            .saturating_mul(found.fragment_size())
            >= 2 << 30
    })
}

/// The socket directory: in the place, or, where that has too long a name, elsewhere for as long as Postgres runs.
fn sockets_for(root: &Path) -> PathBuf {
    let near = root.join("s");
    if is_fit_for_sockets(&near) {
        near
    } else {
        Path::new("/tmp").join(files::unforeseeable("hookfast-s-"))
    }
}

/// Short enough, and nothing in it that means something in a list of directories.
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

//! The user that Postgres runs as: our own, or an unprivileged one if we are root, because Postgres
//! refuses to run as root.

use super::{ClusterError, error::Doing};
use nix::unistd::{Gid, Uid, User, geteuid};
use std::{
    env, fs,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

/// The variables that Postgres inherits. Others may hold secrets, and Postgres does not need them.
const PASSED_ON: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// The user that `initdb`, Postgres and the watcher run as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    /// The user to switch to, or `None` for our own.
    become_user: Option<(Uid, Gid)>,
}

impl Account {
    /// The account for new data: our own, or `postgres` or else `nobody` if we are root.
    pub(super) fn for_new_data() -> Result<Self, ClusterError> {
        if !geteuid().is_root() {
            return Ok(Self { become_user: None });
        }
        let known = ["postgres", "nobody"]
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten());
        let user = known
            .filter(|user| !user.uid.is_root())
            .ok_or(ClusterError::NoAccount)?;
        Ok(Self {
            become_user: Some((user.uid, user.gid)),
        })
    }

    /// The account for existing files: if we are root, their owner.
    pub(super) fn for_owner_of(path: &Path) -> Result<Self, ClusterError> {
        let found = fs::symlink_metadata(path).doing(|| format!("inspect {}", path.display()))?;
        let (uid, gid) = (Uid::from_raw(found.uid()), Gid::from_raw(found.gid()));
        if uid == geteuid() && !uid.is_root() {
            Ok(Self { become_user: None })
        } else if geteuid().is_root() && !uid.is_root() {
            Ok(Self {
                become_user: Some((uid, gid)),
            })
        } else {
            Err(ClusterError::NotOurs {
                path: path.to_owned(),
                uid: uid.as_raw(),
            })
        }
    }

    /// Whether Postgres runs as another user than we do.
    pub(super) fn is_another(self) -> bool {
        self.become_user.is_some()
    }

    pub(super) fn uid(self) -> u32 {
        self.become_user
            .map_or_else(geteuid, |(uid, _)| uid)
            .as_raw()
    }

    /// Makes the user the owner of `path`.
    pub(super) fn own(self, path: &Path) -> Result<(), ClusterError> {
        let Some((uid, gid)) = self.become_user else {
            return Ok(());
        };
        chown(path, Some(uid.as_raw()), Some(gid.as_raw()))
            .doing(|| format!("change the owner of {}", path.display()))
    }

    /// Gives `path` to the user's group. With mode 0710 the user can pass through the directory but
    /// not list it.
    pub(super) fn own_group(self, path: &Path) -> Result<(), ClusterError> {
        let Some((_, gid)) = self.become_user else {
            return Ok(());
        };
        chown(path, None, Some(gid.as_raw()))
            .doing(|| format!("change the group of {}", path.display()))
    }

    /// A command that runs as this user, with a clean environment, no input and no output.
    ///
    /// The standard library clears root's supplementary groups if it sets the uid.
    pub(super) fn command(self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.envs(
            PASSED_ON
                .iter()
                .filter_map(|name| Some((name, env::var_os(name)?))),
        );
        if let Some((uid, gid)) = self.become_user {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command
    }

    /// Whether the user can enter `dir`. This is tried out, because modes, mounts and security
    /// modules all affect it.
    pub(super) fn can_enter(self, dir: &Path) -> bool {
        if !self.is_another() {
            return true;
        }
        let mut probe = self.command("/bin/sh");
        probe
            .args(["-c", "cd \"$1\"", "sh"])
            .arg(dir)
            .status()
            .is_ok_and(|status| status.success())
    }
}

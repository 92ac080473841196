//! Who Postgres runs as: ourselves, or, where we are root (which it refuses to be), somebody smaller.

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

/// Variables that Postgres gets from us. The others may hold secrets, and nothing else of them is its business.
const PASSED_ON: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// The user that `initdb`, Postgres and the watcher run as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    /// Whom to become; `None` is whom we are.
    become_user: Option<(Uid, Gid)>,
}

impl Account {
    /// The account for new data: ourselves; `postgres` or else `nobody` where we are root.
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

    /// The account for files that are there already: as root we become their owner.
    pub(super) fn for_owner_of(path: &Path) -> Result<Self, ClusterError> {
        let found = fs::symlink_metadata(path).doing(|| format!("look at {}", path.display()))?;
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

    /// The user's id.
    pub(super) fn uid(self) -> u32 {
        self.become_user
            .map_or_else(geteuid, |(uid, _)| uid)
            .as_raw()
    }

    /// Gives `path` to the user.
    pub(super) fn own(self, path: &Path) -> Result<(), ClusterError> {
        let Some((uid, gid)) = self.become_user else {
            return Ok(());
        };
        chown(path, Some(uid.as_raw()), Some(gid.as_raw()))
            .doing(|| format!("change the owner of {}", path.display()))
    }

    /// Gives `path` to the user's group; with mode 0710 the user may pass through it and see nothing.
    pub(super) fn own_group(self, path: &Path) -> Result<(), ClusterError> {
        let Some((_, gid)) = self.become_user else {
            return Ok(());
        };
        chown(path, None, Some(gid.as_raw()))
            .doing(|| format!("change the group of {}", path.display()))
    }

    /// A command of that user, with a clean environment, no input and no output.
    ///
    /// std clears root's supplementary groups where it sets the uid.
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

    /// Whether the user can get into `dir`: tried, since modes, mounts and security modules all have a say.
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

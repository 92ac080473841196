//! The folder `.hookfast/` in the working directory. `hookfast dev` keeps its data and its notes
//! for other commands there.
//!
//! The folder contains secrets. So it is used only if nobody else can write to it, and files in it
//! are never opened through a symbolic link.

use crate::dev::postgres::files;
use anyhow::{Context, bail};
use nix::{fcntl::OFlag, unistd::geteuid};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

pub(super) const FOLDER: &str = ".hookfast";

/// The notes of `hookfast dev`: a line `NAME=value` for each, or a comment that explains why the
/// value is missing.
const NOTES: &str = "dev.env";

/// The URL of the private Postgres, while it runs.
const DATABASE_URL: &str = "database-url";

/// The URL at which `hookfast dev` receives webhooks.
pub(super) const URL: &str = "HOOKFAST_URL";

/// The URL of its health and metrics.
pub(super) const ADMIN_URL: &str = "HOOKFAST_ADMIN_URL";

/// The URL of its console.
pub(super) const CONSOLE_URL: &str = "HOOKFAST_CONSOLE_URL";

/// The URL it pushes deliveries to, if it has no configuration file.
pub(super) const FORWARD: &str = "HOOKFAST_FORWARD";

/// The configuration file it was started with.
pub(super) const CONFIG: &str = "HOOKFAST_CONFIG";

/// The handlers it ever declared to its private Postgres, separated by commas.
pub(super) const HANDLERS: &str = "HOOKFAST_DEV_HANDLERS";

/// A value of `hookfast dev`, as other commands can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The value is in the notes.
    Value(String),
    /// The value is in the environment of `hookfast dev`, and is not written to disk.
    InEnvironment,
}

/// The folder, after the checks of its owner and mode.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the folder of the working directory, and creates it if it is missing.
    pub(super) fn make() -> anyhow::Result<Self> {
        Self::make_at(Path::new(FOLDER))
    }

    fn make_at(path: &Path) -> anyhow::Result<Self> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(error).with_context(|| {
                    format!(
                        "{} cannot be created, so nothing was started",
                        path.display()
                    )
                })
            }
            _ => Self::checked(path),
        }
    }

    /// Opens the folder of the working directory, or returns `None` if it is missing.
    pub(super) fn existing() -> anyhow::Result<Option<Self>> {
        Self::existing_at(Path::new(FOLDER))
    }

    fn existing_at(path: &Path) -> anyhow::Result<Option<Self>> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            _ => Self::checked(path).map(Some),
        }
    }

    fn checked(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let found =
            fs::symlink_metadata(path).with_context(|| format!("{shown} cannot be read"))?;
        if !found.is_dir() {
            bail!(
                "{shown} is not a directory, so nothing in it was read or written. Remove it, or work in another folder"
            );
        }
        if found.uid() != geteuid().as_raw() {
            bail!(
                "{shown} belongs to another user (uid {}), who could read and replace the secrets in it; nothing was read or written. Work in a folder of your own, or remove {shown}",
                found.uid()
            );
        }
        if found.mode() & 0o022 != 0 {
            bail!(
                "other users can write to {shown} (mode {:03o}), so its content may not be yours; nothing was read or written. If it is, run `chmod 700 {shown}`; otherwise remove it",
                found.mode() & 0o777
            );
        }
        Ok(Self {
            path: path.to_owned(),
        })
    }

    pub(super) fn write(&self, notes: &BTreeMap<&'static str, Note>) -> anyhow::Result<()> {
        let mut content = String::new();
        for (name, note) in notes {
            let _ = match note {
                Note::Value(value) => writeln!(content, "{name}={value}"),
                Note::InEnvironment => {
                    writeln!(
                        content,
                        "# {name} is set in the environment of hookfast dev and not written to disk"
                    )
                }
            };
        }
        let file = self.path.join(NOTES);
        files::write_private(&file, &content).with_context(|| {
            format!(
                "{} cannot be written, so nothing was started",
                file.display()
            )
        })
    }

    /// Reads the note of that name.
    pub(super) fn note(&self, name: &str) -> anyhow::Result<Option<Note>> {
        let Some(content) = self.read(NOTES)? else {
            return Ok(None);
        };
        let comment = format!("# {name} ");
        Ok(content.lines().find_map(|line| {
            if line.starts_with(&comment) {
                return Some(Note::InEnvironment);
            }
            let value = line.strip_prefix(name)?.strip_prefix('=')?;
            (!value.is_empty()).then(|| Note::Value(value.to_owned()))
        }))
    }

    /// Reads a file, or returns `None` if it is missing.
    fn read(&self, name: &str) -> anyhow::Result<Option<String>> {
        let path = self.path.join(name);
        let cannot = || format!("{} cannot be read", path.display());
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&path);
        let mut file = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.with_context(cannot)?,
        };
        let found = file.metadata().with_context(cannot)?;
        if found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
            bail!(
                "{} belongs to another user, or others can write to it, so it was not used. Remove it",
                path.display()
            );
        }
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(cannot)?;
        Ok(Some(text))
    }
}

/// Reads a note of `hookfast dev` in this folder.
pub(super) fn noted(name: &str) -> anyhow::Result<Option<Note>> {
    Folder::existing()?.map_or(Ok(None), |folder| folder.note(name))
}

/// Like [`noted`], but only a value that is in the notes.
pub(super) fn noted_value(name: &str) -> anyhow::Result<Option<String>> {
    Ok(noted(name)?.and_then(|note| match note {
        Note::Value(value) => Some(value),
        Note::InEnvironment => None,
    }))
}

/// The URL of the database that the `hookfast dev` of this folder uses.
pub(super) fn database_url() -> anyhow::Result<Option<String>> {
    let Some(folder) = Folder::existing()? else {
        return Ok(None);
    };
    if let Some(url) = folder.read(DATABASE_URL)? {
        return Ok(Some(url.trim_end().to_owned()));
    }
    match folder.note("DATABASE_URL")? {
        Some(Note::InEnvironment) => bail!(
            "DATABASE_URL is not set. The `hookfast dev` of this folder uses a database from its environment, whose URL is not written to disk: set DATABASE_URL here too"
        ),
        _ => bail!(
            "DATABASE_URL is not set, and the private Postgres of this folder is not running. Start `hookfast dev`, or set DATABASE_URL to postgres://USER:PASSWORD@HOST:PORT/DATABASE"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    #[test]
    fn notes_are_private_and_a_value_from_the_environment_is_not_among_them() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::make_at(&parent.path().join(FOLDER)).expect("made");
        let notes = BTreeMap::from([
            ("A", Note::Value("1=2".into())),
            ("B", Note::InEnvironment),
            ("AB", Note::Value("3".into())),
        ]);
        folder.write(&notes).expect("written");
        assert_eq!(
            folder.note("A").expect("read"),
            Some(Note::Value("1=2".into()))
        );
        assert_eq!(folder.note("B").expect("read"), Some(Note::InEnvironment));
        assert_eq!(folder.note("C").expect("read"), None);
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!(
            (mode(&folder.path), mode(&folder.path.join(NOTES))),
            (0o700, 0o600)
        );
        assert_eq!(
            fs::read_dir(&folder.path).expect("a folder").count(),
            1,
            "no temporary file stays"
        );
    }

    #[test]
    fn a_folder_that_others_can_write_to_or_own_is_refused() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join(FOLDER);
        let refused = |word: &str| {
            for result in [
                Folder::make_at(&path).map(|_| ()),
                Folder::existing_at(&path).map(|_| ()),
            ] {
                let error = result.expect_err(word).to_string();
                assert!(error.contains(word), "{error}");
            }
        };
        fs::create_dir(&path).expect("made");
        for mode in [0o777, 0o770, 0o702] {
            set_mode(&path, mode);
            refused("chmod 700");
        }
        set_mode(&path, 0o755);
        Folder::make_at(&path).expect("others cannot write to it");
        if geteuid().is_root() {
            chown(&path, Some(12345), None).expect("root may");
            refused("another user (uid 12345)");
        }
        fs::remove_dir(&path).expect("removed");
        symlink(parent.path(), &path).expect("linked");
        refused("not a directory");
    }

    #[test]
    fn a_file_that_others_created_is_neither_read_nor_written_through() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = Folder::make_at(&parent.path().join(FOLDER)).expect("made");
        let (notes, elsewhere) = (folder.path.join(NOTES), parent.path().join("elsewhere"));
        fs::write(&elsewhere, "A=theirs\n").expect("written");
        symlink(&elsewhere, &notes).expect("linked");
        folder
            .note("A")
            .expect_err("a symbolic link is not followed");
        folder
            .write(&BTreeMap::from([("A", Note::Value("ours".into()))]))
            .expect("replaced");
        assert_eq!(fs::read_to_string(&elsewhere).expect("there"), "A=theirs\n");
        assert_eq!(
            folder.note("A").expect("read"),
            Some(Note::Value("ours".into()))
        );
        set_mode(&notes, 0o666);
        folder.note("A").expect_err("others can write to it");
    }
}

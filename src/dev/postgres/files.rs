//! Private files and directories: nobody else reads them, and none is reached through somebody's symlink.

use nix::{fcntl::OFlag, unistd::geteuid};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

/// Opens for reading and appending, made with mode 0600 where it is missing.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW.bits();
    let options = || {
        OpenOptions::new()
            .read(true)
            .append(true)
            .mode(0o600)
            .custom_flags(flags)
            .to_owned()
    };
    match options().create_new(true).open(path) {
        Ok(file) => {
            give_to_owner_of_folder(&file, path)?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options().open(path),
        Err(error) => Err(error),
    }
}

/// Writes a whole file of mode 0600 under a name that nobody can foresee and renames it: there is never half of it, and
/// no file or link that somebody else put there is written to.
pub(crate) fn write_private(path: &Path, content: &str) -> io::Result<()> {
    let unfinished = path.with_added_extension(unforeseeable(""));
    let written = write_new(&unfinished, content).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn write_new(path: &Path, content: &str) -> io::Result<()> {
    let flags = OFlag::O_NOFOLLOW.bits();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(path)?;
    give_to_owner_of_folder(&file, path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

/// Where root works in the directory of somebody else, that user can go on with the files later.
/// The open file, not its name: that may be another file's by now.
fn give_to_owner_of_folder(file: &File, path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    let owner = fs::metadata(folder)?;
    if geteuid().is_root() && owner.uid() != 0 {
        fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Makes a directory of mode 0700 that was not there, under a name nobody could foresee.
pub(super) fn new_private_dir(parent: &Path, prefix: &str) -> io::Result<PathBuf> {
    let dir = parent.join(unforeseeable(prefix));
    DirBuilder::new().mode(0o700).create(&dir)?;
    Ok(dir)
}

/// A name nobody can make first.
pub(super) fn unforeseeable(prefix: &str) -> String {
    format!("{prefix}{}", hex::encode(rand::random::<[u8; 6]>()))
}

/// Sets a mode.
pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

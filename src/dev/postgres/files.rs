//! Private files and directories: no other user can read them, and symlinks of other users are not
//! followed.

use nix::{fcntl::OFlag, unistd::geteuid};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

/// Opens a file for reading and appending. A missing file is created with mode 0600.
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

/// Writes a whole file of mode 0600 under an unpredictable name and then renames it. So the file is
/// never incomplete, and no file or link of another user is written to.
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

/// If root works in the directory of another user, that user must be able to use the files later.
/// This changes the open file and not its name, which may belong to another file by now.
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

/// Creates a new directory of mode 0700 under an unpredictable name.
pub(super) fn new_private_dir(parent: &Path, prefix: &str) -> io::Result<PathBuf> {
    let dir = parent.join(unforeseeable(prefix));
    DirBuilder::new().mode(0o700).create(&dir)?;
    Ok(dir)
}

/// A random name, so that no other user can create it first.
pub(super) fn unforeseeable(prefix: &str) -> String {
    format!("{prefix}{}", hex::encode(rand::random::<[u8; 6]>()))
}

pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

//! Making the data directory: under a temporary name, which is renamed when the directory is
//! complete.

use super::{
    ClusterError, Durability, USER, binaries::Binaries, data_dir::DataDir, error::Doing, files,
};
use secrecy::{ExposeSecret, SecretString};
use std::{
    fs::{self, File},
    io::ErrorKind,
    path::Path,
    process::Stdio,
};

/// The locale of the cluster: sorting and case conversion go by code point, the same on every
/// machine.
const LOCALE: &str = if cfg!(target_os = "macos") {
    "C"
} else {
    "C.UTF-8"
};

/// The name prefix of unfinished directories.
const UNFINISHED: &str = "init-";

/// Makes the data directory if there is none. Returns the password of [`USER`].
pub(super) fn ensure(
    data_dir: &DataDir,
    binaries: &Binaries,
    durability: Durability,
) -> Result<SecretString, ClusterError> {
    remove_unfinished(data_dir.root());
    let password_file = data_dir.password_file();
    if fs::exists(data_dir.data()).doing(|| format!("inspect {}", data_dir.data().display()))? {
        return match fs::read_to_string(&password_file) {
            Ok(kept) => Ok(kept.trim_end().into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(ClusterError::NoPassword {
                data: data_dir.data(),
                file: password_file,
            }),
            Err(source) => Err(ClusterError::Io {
                doing: format!("read {}", password_file.display()),
                source,
            }),
        };
    }
    let password = SecretString::from(hex::encode(rand::random::<[u8; 16]>()));
    let unfinished = files::new_private_dir(data_dir.root(), UNFINISHED)
        .doing(|| format!("make a directory in {}", data_dir.root().display()))?;
    let made = make(data_dir, binaries, durability, &password, &unfinished);
    // Best effort: the next start removes the rest.
    let _ = fs::remove_dir_all(&unfinished);
    made.map(|()| password)
}

fn make(
    data_dir: &DataDir,
    binaries: &Binaries,
    durability: Durability,
    password: &SecretString,
    unfinished: &Path,
) -> Result<(), ClusterError> {
    let (data, password_copy) = (unfinished.join("pg"), unfinished.join("password"));
    files::write_private(&password_copy, password.expose_secret())
        .doing(|| format!("write {}", password_copy.display()))?;
    data_dir.account.own(&password_copy)?;
    data_dir.account.own(unfinished)?;
    let mut initdb = data_dir.account.command(binaries.program("initdb"));
    initdb
        .arg("--pgdata")
        .arg(&data)
        .arg("--pwfile")
        .arg(&password_copy)
        .args([
            "--username",
            USER,
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-instructions",
            "--locale",
            LOCALE,
        ]);
    if durability == Durability::Fast {
        initdb.arg("--no-sync");
    }
    let output = initdb
        .current_dir(unfinished)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .doing(|| format!("run {}", binaries.program("initdb").display()))?;
    if !output.status.success() {
        let printed = [output.stdout, output.stderr].concat();
        let output = super::tail(&String::from_utf8_lossy(&printed)).to_owned();
        return Err(ClusterError::Initdb {
            data_dir: data_dir.root().to_owned(),
            output,
        });
    }
    // The password is written first, because data without its password is useless.
    let password_file = data_dir.password_file();
    files::write_private(&password_file, password.expose_secret())
        .doing(|| format!("write {}", password_file.display()))?;
    fs::rename(&data, data_dir.data()).doing(|| format!("rename {}", data.display()))?;
    if durability == Durability::Durable {
        File::open(data_dir.root())
            .and_then(|root| root.sync_all())
            .doing(|| format!("sync {}", data_dir.root().display()))?;
    }
    Ok(())
}

/// Removes the directory of an `initdb` that was killed. If its orphan still writes to it, the next
/// start removes the rest.
fn remove_unfinished(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The major version that made the data, if there is data.
pub(super) fn made_by(data: &Path) -> Result<Option<u32>, ClusterError> {
    let file = data.join("PG_VERSION");
    match fs::read_to_string(&file) {
        Ok(version) => Ok(version
            .trim()
            .split('.')
            .next()
            .and_then(|major| major.parse().ok())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ClusterError::Io {
            doing: format!("read {}", file.display()),
            source,
        }),
    }
}

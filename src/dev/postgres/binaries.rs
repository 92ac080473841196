//! Finding an installed Postgres. `scripts/lib/setup.sh` searches the same places.

use super::ClusterError;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The oldest supported major version.
const OLDEST: u32 = 15;

/// The server binaries of one installed Postgres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// Finds the first suitable Postgres. If there is data already, the version must match exactly.
    pub(super) fn find(made_by: Option<(u32, &Path)>) -> Result<Self, ClusterError> {
        let wanted = made_by.map(|(major, _)| major);
        if let Some(dir) = env::var_os("HOOKFAST_PG_BIN")
            .filter(|dir| !dir.is_empty())
            .map(PathBuf::from)
        {
            let problem = match version_in(&dir) {
                None => "it contains no working initdb and postgres".to_owned(),
                Some(major) if !fits(major, wanted) => match wanted {
                    Some(wanted) => {
                        format!("it contains Postgres {major}, and the data was made by {wanted}")
                    }
                    None => format!("it contains Postgres {major}"),
                },
                Some(major) => return Ok(Self { dir, major }),
            };
            return Err(ClusterError::WrongBinaries { dir, problem });
        }
        choose(places(), wanted, version_in).map_err(|seen| match made_by {
            Some((made_by, data)) => ClusterError::OtherVersion {
                data: data.to_owned(),
                made_by,
            },
            None => ClusterError::NoBinaries { seen },
        })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

fn fits(major: u32, wanted: Option<u32>) -> bool {
    wanted.map_or(major >= OLDEST, |wanted| major == wanted)
}

/// Probes the places in order and stops at the first match, because each probe runs a program.
fn choose(
    places: impl Iterator<Item = PathBuf>,
    wanted: Option<u32>,
    version_in: impl Fn(&Path) -> Option<u32>,
) -> Result<Binaries, String> {
    let mut seen = Vec::new();
    for dir in places {
        match version_in(&dir) {
            Some(major) if fits(major, wanted) => return Ok(Binaries { dir, major }),
            Some(major) => seen.push(format!("Postgres {major} in {}", dir.display())),
            None => {}
        }
    }
    Err(if seen.is_empty() {
        String::new()
    } else {
        format!(" (only {})", seen.join(", "))
    })
}

/// The directories that may hold Postgres, best first.
fn places() -> impl Iterator<Item = PathBuf> {
    let from_path = env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default();
    std::iter::once_with(pg_config)
        .flatten()
        .chain(from_path)
        .chain(numbered("/usr/lib/postgresql", "", "bin"))
        .chain(numbered("/usr", "pgsql-", "bin"))
        .chain(numbered("/usr/libexec", "postgresql", ""))
        .chain(numbered("/opt/homebrew/opt", "postgresql@", "bin"))
        .chain(numbered("/usr/local/opt", "postgresql@", "bin"))
        .chain(numbered(
            "/home/linuxbrew/.linuxbrew/opt",
            "postgresql@",
            "bin",
        ))
        .chain(numbered(
            "/Applications/Postgres.app/Contents/Versions",
            "",
            "bin",
        ))
        .chain([PathBuf::from("/usr/local/pgsql/bin")])
}

/// The directory that `pg_config` prints. It may belong to a client library without a server.
fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config")
        .arg("--bindir")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let dir = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(dir.trim()))
}

/// The directories `parent/<prefix><number>/<below>`, the highest number first.
fn numbered(parent: &str, prefix: &str, below: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry
                .file_name()
                .to_str()?
                .strip_prefix(prefix)?
                .parse()
                .ok()?;
            Some((
                number,
                if below.is_empty() {
                    entry.path()
                } else {
                    entry.path().join(below)
                },
            ))
        })
        .collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found.into_iter().map(|(_, dir)| dir).collect()
}

/// The major version of the server binaries in `dir`, if both are there and run.
fn version_in(dir: &Path) -> Option<u32> {
    if !dir.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(dir.join("postgres"))
        .arg("--version")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    major(std::str::from_utf8(&output.stdout).ok()?)
}

/// The major version in a line such as `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn major(line: &str) -> Option<u32> {
    let (_, version) = line.split_once("(PostgreSQL) ")?;
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_parsed_from_the_output_of_postgres() {
        assert_eq!(
            major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 9.6.24"), Some(9));
        for other in ["", "postgres (PostgreSQL) devel", "psql 15.1"] {
            assert_eq!(major(other), None, "{other:?}");
        }
    }

    fn probe(dir: &Path) -> Option<u32> {
        dir.to_str()?.strip_prefix("/pg/")?.parse().ok()
    }

    fn dirs(names: &[&str]) -> impl Iterator<Item = PathBuf> {
        names
            .iter()
            .map(PathBuf::from)
            .collect::<Vec<_>>()
            .into_iter()
    }

    #[test]
    fn the_first_suitable_postgres_is_used_and_an_older_one_is_named() {
        let found = choose(dirs(&["/none", "/pg/14", "/pg/16", "/pg/17"]), None, probe)
            .expect("two are suitable");
        assert_eq!(
            found,
            Binaries {
                dir: "/pg/16".into(),
                major: 16
            }
        );
        let only_old = choose(dirs(&["/none", "/pg/14"]), None, probe).expect_err("14 is too old");
        assert_eq!(only_old, " (only Postgres 14 in /pg/14)");
    }

    #[test]
    fn existing_data_needs_its_own_version() {
        let found = choose(dirs(&["/pg/17", "/pg/16"]), Some(16), probe).expect("16 is there");
        assert_eq!(found.major, 16);
        assert!(choose(dirs(&["/pg/17"]), Some(16), probe).is_err());
    }
}

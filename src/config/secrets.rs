//! Secrets by reference: `env:NAME` or `file:/path`. They are read at startup, and again on SIGHUP.

use crate::signing::{Secret, WeakSecret, standard_webhooks};
use std::{env, fmt, fs, path::PathBuf, str::FromStr};

/// A reference to a secret. Every command reads secrets through it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRef(SecretSource);

#[derive(Clone, PartialEq, Eq)]
enum SecretSource {
    Environment(String),
    File(PathBuf),
}

/// The text is not a reference. It may be the secret itself, so the message does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret must be a reference, env:NAME or file:/path, never the secret itself (the value is not repeated here)"
)]
pub struct NotAReference;

/// A secret could not be read. The message never contains what was read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is missing or empty.
    #[error(
        "{0} is not set or empty in the environment, so nothing was started or changed. Set it, or name another secret in the configuration"
    )]
    Environment(String),
    /// The file cannot be read.
    #[error(
        "{0} cannot be read ({1}), so nothing was started or changed. Make it readable for this user, or name another secret in the configuration"
    )]
    File(String, std::io::Error),
    /// The secret is too short.
    #[error(
        "{0}, so nothing was started or changed. Use a longer one: with an empty or short secret anybody can sign"
    )]
    Weak(#[from] WeakSecret),
    /// The secret does not have the Standard Webhooks form.
    #[error(
        "{0}, so nothing was started or changed. Make one with: echo \"whsec_$(openssl rand -base64 32)\""
    )]
    Form(#[from] standard_webhooks::InvalidSecret),
}

impl FromStr for SecretRef {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        let place = match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() && !name.contains(['=', '\0']) => {
                SecretSource::Environment(name.to_owned())
            }
            Some(("file", path)) if !path.is_empty() => SecretSource::File(path.into()),
            _ => return Err(NotAReference),
        };
        Ok(Self(place))
    }
}

impl SecretRef {
    /// References the environment variable of that name.
    pub fn environment(name: &str) -> Self {
        Self(SecretSource::Environment(name.to_owned()))
    }

    /// Whether it references the environment, which a process keeps as it was at startup.
    pub fn is_environment(&self) -> bool {
        matches!(self.0, SecretSource::Environment(_))
    }

    /// Reads the secret without the newlines at its end: editors, shells and secret stores add
    /// them, and no sender signs with one.
    ///
    /// # Errors
    /// [`SecretError`] if there is no secret.
    pub fn read(&self) -> Result<String, SecretError> {
        let text = match &self.0 {
            SecretSource::Environment(name) => env::var(name).unwrap_or_default(),
            SecretSource::File(path) => fs::read_to_string(path)
                .map_err(|error| SecretError::File(self.to_string(), error))?,
        };
        let secret = text.trim_end_matches(['\r', '\n']);
        match secret.is_empty() && self.is_environment() {
            true => Err(SecretError::Environment(self.to_string())),
            false => Ok(secret.to_owned()),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            SecretSource::Environment(name) => write!(f, "env:{name}"),
            SecretSource::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Describes what around a secret is probably not part of it, without showing any of the secret.
pub(super) fn surplus(secret: &str) -> Option<&'static str> {
    let quoted = |quote| secret.len() > 1 && secret.starts_with(quote) && secret.ends_with(quote);
    if secret.starts_with('\u{feff}') {
        Some("begins with a byte order mark")
    } else if secret.trim() != secret {
        Some("has whitespace around it")
    } else if ['"', '\'', '`'].into_iter().any(quoted) {
        Some("has quotes around it")
    } else {
        None
    }
}

/// Several secrets that are valid at the same time, so that one can be replaced without a gap.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRefs(Vec<SecretRef>);

impl fmt::Debug for SecretRefs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl SecretRefs {
    /// Accepts only references. The error for a literal does not repeat it: it may be the secret.
    pub(super) fn parse(texts: &[String]) -> Result<Self, String> {
        if texts.is_empty() {
            return Err("it needs at least one secret: env:NAME or file:/path".to_owned());
        }
        let references: Result<Vec<_>, NotAReference> =
            texts.iter().map(|text| text.parse()).collect();
        references.map(Self).map_err(|error| error.to_string())
    }

    /// The references, in the order of the list.
    pub fn references(&self) -> &[SecretRef] {
        &self.0
    }

    /// Reads the secrets as they are.
    ///
    /// # Errors
    /// [`SecretError`] for the first secret that cannot be read.
    pub fn read(&self) -> Result<Vec<Secret>, SecretError> {
        self.0
            .iter()
            .map(|r| Ok(Secret::new(r.to_string(), r.read()?.into_bytes())?))
            .collect()
    }

    /// Reads the secrets in the Standard Webhooks form, `whsec_…`.
    ///
    /// # Errors
    /// [`SecretError`] for the first secret that cannot be read.
    pub fn read_standard_webhooks(&self) -> Result<Vec<Secret>, SecretError> {
        self.0
            .iter()
            .map(|r| Ok(standard_webhooks::parse_secret(&r.to_string(), &r.read()?)?))
            .collect()
    }
}

/// The value of a header: text, or a reference to a secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Reference(SecretRef),
    Text(String),
}

impl Value {
    pub(super) fn parse(text: String) -> Self {
        text.parse().map_or(Self::Text(text), Self::Reference)
    }

    pub(super) fn read(&self) -> Result<String, SecretError> {
        match self {
            Self::Reference(reference) => reference.read(),
            Self::Text(text) => Ok(text.clone()),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference(reference) => write!(f, "{reference}"),
            Self::Text(_) => f.write_str("…"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(texts: &[&str]) -> Result<SecretRefs, String> {
        SecretRefs::parse(&texts.iter().map(|&t| t.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_literal_is_refused_and_not_repeated() {
        for literal in [
            "canary-secret-0123456789",
            "whsec_canary",
            "env:",
            "file:",
            "vault:canary",
            "",
        ] {
            let problem = refs(&[literal]).expect_err(literal);
            assert!(!problem.contains("canary"), "{problem}");
        }
        assert!(refs(&[]).is_err());
    }

    #[test]
    fn files_are_read_without_their_last_newline_and_short_ones_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let reference = format!("file:{}", file.path().display());
        let write = |text: &str| fs::write(file.path(), text).expect("written");
        write("0123456789abcdef\n");
        let read = refs(&[&reference])
            .expect("a reference")
            .read()
            .expect("a secret");
        assert_eq!(read[0].label(), reference);
        assert_eq!(read.len(), 1);
        for short in ["", "\n", "canary-\r\n"] {
            write(short);
            let error = refs(&[&reference])
                .expect("a reference")
                .read()
                .expect_err("too short")
                .to_string();
            assert!(
                error.contains(&reference) && !error.contains("canary"),
                "{error}"
            );
        }
        let missing =
            refs(&["file:/nowhere/at/all", "env:HOOKFAST_TEST_NOT_SET"]).expect("references");
        assert!(
            missing
                .read()
                .expect_err("no such file")
                .to_string()
                .contains("file:/nowhere/at/all")
        );
        let unset = refs(&["env:HOOKFAST_TEST_NOT_SET"])
            .expect("a reference")
            .read()
            .expect_err("not set");
        assert!(
            unset.to_string().contains("env:HOOKFAST_TEST_NOT_SET"),
            "{unset}"
        );
    }

    #[test]
    fn blanks_around_a_secret_are_reported_and_blanks_inside_are_not() {
        for (secret, expected) in [
            ("0123456789abcdef", None),
            ("in \"it\" 'all' is fine", None),
            ("\"", None),
            ("\"0123456789\"", Some("has quotes around it")),
            ("'0123456789'", Some("has quotes around it")),
            (" 0123456789", Some("has whitespace around it")),
            ("0123456789\t", Some("has whitespace around it")),
            ("\u{feff}0123456789", Some("begins with a byte order mark")),
        ] {
            assert_eq!(surplus(secret), expected, "{secret}");
        }
    }

    #[test]
    fn a_header_is_text_or_a_reference_and_is_not_printed() {
        assert_eq!(
            Value::parse("Bearer canary".into()).read().expect("text"),
            "Bearer canary"
        );
        assert_eq!(
            format!(
                "{:?} {:?}",
                Value::parse("canary".into()),
                Value::parse("env:X".into())
            ),
            "… env:X"
        );
    }
}

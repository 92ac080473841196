//! Secrets by reference: `env:NAME` or `file:/path`. Read at the start, and again on SIGHUP.

use crate::signing::{Secret, WeakSecret, standard_webhooks};
use std::{env, fmt, fs, path::PathBuf};

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
enum Reference {
    Environment(String),
    File(PathBuf),
}

/// A secret that could not be had. It never tells what was read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment has no such variable, or an empty one.
    #[error(
        "{0} is not set or empty in the environment, so nothing was started or changed. Set it, or name another secret in the configuration"
    )]
    Environment(String),
    /// The file cannot be read.
    #[error(
        "{0} cannot be read ({1}), so nothing was started or changed. Make it a file this user may read, or name another secret in the configuration"
    )]
    File(String, std::io::Error),
    /// Too short to be one.
    #[error("{0}, so nothing was started or changed. Take a longer one: an empty or short secret lets anybody sign")]
    Weak(#[from] WeakSecret),
    /// Not a secret of the Standard Webhooks form.
    #[error("{0}, so nothing was started or changed")]
    Form(#[from] standard_webhooks::InvalidSecret),
}

impl Reference {
    fn parse(text: &str) -> Option<Self> {
        let not_empty = |rest: &str| (!rest.is_empty()).then(|| rest.to_owned());
        match text.split_once(':')? {
            ("env", name) => not_empty(name).filter(|name| !name.contains(['=', '\0'])).map(Self::Environment),
            ("file", path) => not_empty(path).map(|path| Self::File(path.into())),
            _ => None,
        }
    }

    fn read(&self) -> Result<String, SecretError> {
        match self {
            Self::Environment(name) => env::var(name)
                .ok()
                .filter(|value| !value.is_empty())
                .ok_or_else(|| SecretError::Environment(self.to_string())),
            // Editors and secret stores end a file with a newline; no secret has one.
            Self::File(path) => match fs::read_to_string(path) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => Err(SecretError::File(self.to_string(), error)),
            },
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Several secrets that are live at the same time, so that one can be replaced without a gap.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRefs(Vec<Reference>);

impl fmt::Debug for SecretRefs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(ToString::to_string)).finish()
    }
}

impl SecretRefs {
    /// References only. A literal is refused without repeating it: it may be the secret.
    pub(super) fn parse(texts: &[String]) -> Result<Self, String> {
        if texts.is_empty() {
            return Err("it needs at least one secret: env:NAME or file:/path".to_owned());
        }
        let references: Option<Vec<_>> = texts.iter().map(|text| Reference::parse(text)).collect();
        references.map(Self).ok_or_else(|| {
            "a secret is written env:NAME or file:/path, never as itself (and what is written here is not repeated)"
                .to_owned()
        })
    }

    /// Reads them as they are.
    ///
    /// # Errors
    /// [`SecretError`] for the first that cannot be had.
    pub fn read(&self) -> Result<Vec<Secret>, SecretError> {
        self.0.iter().map(|r| Ok(Secret::new(r.to_string(), r.read()?.into_bytes())?)).collect()
    }

    /// Reads them as secrets of the Standard Webhooks form, `whsec_…`.
    ///
    /// # Errors
    /// [`SecretError`] for the first that cannot be had.
    pub fn read_standard_webhooks(&self) -> Result<Vec<Secret>, SecretError> {
        self.0.iter().map(|r| Ok(standard_webhooks::parse_secret(&r.to_string(), &r.read()?)?)).collect()
    }
}

/// A header's value: text, or a reference to it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Value(Result<Reference, String>);

impl Value {
    pub(super) fn is_reference(&self) -> bool {
        self.0.is_ok()
    }

    pub(super) fn parse(text: String) -> Self {
        Self(Reference::parse(&text).ok_or(text))
    }

    pub(super) fn read(&self) -> Result<String, SecretError> {
        match &self.0 {
            Ok(reference) => reference.read(),
            Err(text) => Ok(text.clone()),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(reference) => write!(f, "{reference}"),
            Err(_) => f.write_str("…"),
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
        for literal in ["canary-secret-0123456789", "whsec_canary", "env:", "file:", "vault:canary", ""] {
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
        let read = refs(&[&reference]).expect("a reference").read().expect("a secret");
        assert_eq!(read[0].label(), reference);
        assert_eq!(read.len(), 1);
        for short in ["", "\n", "canary-\r\n"] {
            write(short);
            let error = refs(&[&reference]).expect("a reference").read().expect_err("too short").to_string();
            assert!(error.contains(&reference) && !error.contains("canary"), "{error}");
        }
        let missing = refs(&["file:/nowhere/at/all", "env:HOOKFAST_TEST_NOT_SET"]).expect("references");
        assert!(missing.read().expect_err("no such file").to_string().contains("file:/nowhere/at/all"));
        let unset = refs(&["env:HOOKFAST_TEST_NOT_SET"]).expect("a reference").read().expect_err("not set");
        assert!(unset.to_string().contains("env:HOOKFAST_TEST_NOT_SET"), "{unset}");
    }

    #[test]
    fn a_header_is_text_or_a_reference_and_is_not_printed() {
        assert_eq!(Value::parse("Bearer canary".into()).read().expect("text"), "Bearer canary");
        assert_eq!(format!("{:?} {:?}", Value::parse("canary".into()), Value::parse("env:X".into())), "… env:X");
    }
}

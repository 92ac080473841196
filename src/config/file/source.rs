//! `[sources.NAME]`: the settings of every kind in one table, and the kinds each belongs to.

use super::{Problems, api::Api, units};
use crate::config::{ApiConfig, SourceConfig, secrets::SecretRefs};
use crate::domain::{OnInvalidSignature, PayloadFields, SourceName};
use crate::signing::standard_webhooks::TOLERANCE;
use crate::sources::{
    SourceKind, TypePrefix,
    airalo::Airalo,
    hmac::{Form, HmacSettings, HmacSource, ListForm},
    standard_webhooks::StandardWebhooks,
};
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc, time::Duration};

/// The kind of sources that applications feed through `hookfast.enqueue`, inside their own
/// transactions.
const SQL: &str = "sql";

/// The source of alerts.
pub(super) const OWN: &str = "hookfast";

const KINDS: [&str; 4] = [Airalo::NAME, StandardWebhooks::NAME, HmacSource::NAME, SQL];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    kind: String,
    #[serde(default)]
    secrets: Vec<String>,
    on_invalid_signature: Option<OnInvalid>,
    tolerance: Option<String>,
    type_prefix: Option<String>,
    window: Option<String>,
    header_prefix: Option<String>,
    header: Option<String>,
    prefix: Option<String>,
    list: Option<List>,
    encoding: Option<String>,
    algorithm: Option<String>,
    signed: Option<String>,
    timestamp_header: Option<String>,
    id_header: Option<String>,
    #[serde(rename = "type")]
    types: Option<Vec<String>>,
    key: Option<Vec<String>>,
    repeats: Option<String>,
    handshake: Option<String>,
    api: Option<Api>,
    #[serde(default)]
    secret_fields: Vec<String>,
    #[serde(default)]
    search_fields: Vec<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnInvalid {
    #[default]
    Reject,
    Quarantine,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    signature: String,
    timestamp: Option<String>,
    separator: Option<char>,
}

/// The kind and the sample section for a sender whose name was given as the kind.
fn known_sender(name: &str) -> Option<String> {
    let kind = match name.to_ascii_lowercase().as_str() {
        "stripe" | "github" | "shopify" | "slack" => HmacSource::NAME,
        "svix" | "clerk" | "resend" => StandardWebhooks::NAME,
        _ => return None,
    };
    Some(format!(
        "docs/hookfast.sample.toml has a section for {name}: its kind is '{kind}', with the settings shown there"
    ))
}

/// Returns the sources that have a sender, and those that applications feed through SQL.
pub(super) fn sources(
    given: &BTreeMap<String, Source>,
    problems: &mut Problems,
) -> (Vec<SourceConfig>, Vec<(SourceName, PayloadFields)>) {
    let (fed, sent): (Vec<_>, Vec<_>) = given.iter().partition(|(_, source)| source.kind == SQL);
    let sent = sent
        .into_iter()
        .filter_map(|(name, given)| source(name, given, problems))
        .collect();
    (
        sent,
        fed.into_iter()
            .filter_map(|(name, given)| sql_source(name, given, problems))
            .collect(),
    )
}

fn sql_source(
    name: &str,
    source: &Source,
    problems: &mut Problems,
) -> Option<(SourceName, PayloadFields)> {
    let mut of = Settings::of(name, problems);
    if !source.secrets.is_empty() || source.on_invalid_signature.is_some() {
        of.problems.0.push(format!(
            "{}: nothing is sent to a source of kind '{SQL}', so it has no secrets",
            of.place
        ));
    }
    of.no_other(source, &[])?;
    if source.api.is_some() {
        of.wrong::<()>(&format!("the kind '{SQL}' has no api"));
    }
    let fields = of.fields(source);
    Some((of.name?, fields?))
}

fn source(name: &str, source: &Source, problems: &mut Problems) -> Option<SourceConfig> {
    let mut of = Settings::of(name, problems);
    let kind = of.kind(source);
    let secrets = of.problems.note(
        &format!("{} secrets", of.place),
        SecretRefs::parse(&source.secrets),
    );
    let on_invalid_signature = match source.on_invalid_signature.unwrap_or_default() {
        OnInvalid::Reject => OnInvalidSignature::Reject,
        OnInvalid::Quarantine => OnInvalidSignature::Quarantine,
    };
    let fields = of.fields(source);
    let api = api(&mut of, source);
    let standard_secrets = source.kind == StandardWebhooks::NAME;
    Some(SourceConfig {
        name: of.name?,
        kind: kind?,
        secrets: secrets?,
        on_invalid_signature,
        fields: fields?,
        api: api?,
        standard_secrets,
    })
}

/// Only sources of kind airalo have an API.
fn api(of: &mut Settings<'_>, source: &Source) -> Option<Option<ApiConfig>> {
    match &source.api {
        None => Some(None),
        Some(_) if source.kind != Airalo::NAME => {
            of.wrong(&format!("the kind '{}' has no api", source.kind))
        }
        Some(api) => api.checked(&of.place, of.problems).map(Some),
    }
}

/// The settings of one source, and where its problems are reported.
struct Settings<'p> {
    place: String,
    name: Option<SourceName>,
    problems: &'p mut Problems,
}

impl<'p> Settings<'p> {
    fn of(name: &str, problems: &'p mut Problems) -> Self {
        let mut this = Self {
            place: format!("[sources.{name}]"),
            name: None,
            problems,
        };
        this.name = match name {
            OWN => this.wrong("this name is reserved for Hookfast's own events; use another"),
            _ => this.problems.parsed(&this.place, name),
        };
        this
    }

    fn kind(&mut self, source: &Source) -> Option<Arc<dyn SourceKind>> {
        match source.kind.as_str() {
            Airalo::NAME => self.no_other(source, &[]).map(|()| Arc::new(Airalo) as _),
            StandardWebhooks::NAME => self
                .standard_webhooks(source)
                .map(|kind| Arc::new(kind) as _),
            HmacSource::NAME => self.hmac(source).map(|kind| Arc::new(kind) as _),
            unknown => {
                let known = KINDS.join(", ");
                let hint = known_sender(unknown)
                    .map(|hint| format!(". {hint}"))
                    .unwrap_or_default();
                self.wrong(&format!(
                    "unknown kind '{unknown}'; known kinds are: {known}{hint}"
                ))
            }
        }
    }

    fn no_other(&mut self, source: &Source, own: &[&str]) -> Option<()> {
        self.problems
            .no_other(&self.place, &source.kind, source.of_some_kinds(), own)
    }

    fn standard_webhooks(&mut self, source: &Source) -> Option<StandardWebhooks> {
        let fits = self.no_other(
            source,
            &["tolerance", "type_prefix", "window", "header_prefix"],
        );
        let headers = self.optional("header_prefix", source.header_prefix.as_deref());
        let tolerance = self.duration("tolerance", source.tolerance.as_deref());
        let type_prefix = self.type_prefix(source);
        let window = self.duration("window", source.window.as_deref());
        let kind = StandardWebhooks {
            headers: headers?.unwrap_or_default(),
            tolerance: tolerance?.unwrap_or(TOLERANCE),
            type_prefix: type_prefix?,
            window: window?,
        };
        fits.map(|()| kind)
    }

    /// Checks every setting, also after an invalid one.
    fn hmac(&mut self, source: &Source) -> Option<HmacSource> {
        let header = self.required("header", source.header.as_deref());
        let form = self.form(source);
        let encoding = self.required("encoding", source.encoding.as_deref());
        let algorithm = self.required("algorithm", source.algorithm.as_deref());
        let signed = self.required("signed", source.signed.as_deref());
        let timestamp_header =
            self.optional("timestamp_header", source.timestamp_header.as_deref());
        let id_header = self.optional("id_header", source.id_header.as_deref());
        let tolerance = self.duration("tolerance", source.tolerance.as_deref());
        let types = self.problems.all(
            &format!("{} type", self.place),
            source.types.as_deref().unwrap_or_default(),
        );
        let type_prefix = self.type_prefix(source);
        let key = self.problems.all(
            &format!("{} key", self.place),
            source.key.as_deref().unwrap_or_default(),
        );
        let window = self.duration("window", source.window.as_deref());
        let repeats = self.optional("repeats", source.repeats.as_deref());
        let handshake = self.optional("handshake", source.handshake.as_deref());
        let settings = HmacSettings {
            header: header?,
            form: form?,
            encoding: encoding?,
            algorithm: algorithm?,
            signed: signed?,
            timestamp_header: timestamp_header?,
            id_header: id_header?,
            tolerance: tolerance?,
            types: types?,
            type_prefix: type_prefix?,
            key: key?,
            window: window?,
            repeats: repeats?.unwrap_or_default(),
            handshake: handshake?,
        };
        self.problems.note(&self.place, HmacSource::new(settings))
    }

    /// The source's name unless the setting overrides it, so that no sender can use the types of
    /// another source.
    fn type_prefix(&mut self, source: &Source) -> Option<Option<TypePrefix>> {
        match source.type_prefix.as_deref() {
            Some("") => Some(None),
            Some(given) => self.optional("type_prefix", Some(given)),
            None => match self.name.as_ref().and_then(TypePrefix::of_source) {
                Some(prefix) => Some(Some(prefix)),
                None if self.name.is_none() => None,
                None => self.wrong("its name cannot be the prefix of its types; set type_prefix"),
            },
        }
    }

    fn form(&mut self, source: &Source) -> Option<Form> {
        match (&source.list, &source.prefix) {
            (Some(_), Some(_)) => self.wrong(
                "prefix and list both describe the format of the signature header; remove one",
            ),
            (None, prefix) => Some(Form::Single {
                prefix: prefix.clone().unwrap_or_default(),
            }),
            (Some(list), None) => {
                let form = ListForm::new(
                    &list.signature,
                    list.timestamp.as_deref(),
                    list.separator.unwrap_or(','),
                );
                self.problems
                    .note(&format!("{} list", self.place), form)
                    .map(Form::List)
            }
        }
    }

    fn required<T: FromStr<Err: fmt::Display>>(
        &mut self,
        key: &str,
        text: Option<&str>,
    ) -> Option<T> {
        match text {
            Some(text) => self.problems.parsed(&format!("{} {key}", self.place), text),
            None => self.wrong(&format!(
                "the kind '{}' needs the setting {key}",
                HmacSource::NAME
            )),
        }
    }

    fn optional<T: FromStr<Err: fmt::Display>>(
        &mut self,
        key: &str,
        text: Option<&str>,
    ) -> Option<Option<T>> {
        match text {
            Some(text) => self
                .problems
                .parsed(&format!("{} {key}", self.place), text)
                .map(Some),
            None => Some(None),
        }
    }

    fn duration(&mut self, key: &str, text: Option<&str>) -> Option<Option<Duration>> {
        let Some(text) = text else { return Some(None) };
        let positive = |duration: Duration| match duration.is_zero() {
            true => Err("must be greater than zero".to_owned()),
            false => Ok(duration),
        };
        self.problems
            .note(
                &format!("{} {key}", self.place),
                units::duration(text).and_then(positive),
            )
            .map(Some)
    }

    fn fields(&mut self, source: &Source) -> Option<PayloadFields> {
        for (key, names) in [
            ("secret_fields", &source.secret_fields),
            ("search_fields", &source.search_fields),
        ] {
            if let Some(name) = names
                .iter()
                .find(|name| name.is_empty() || name.contains(char::is_control))
            {
                return self.wrong(&format!("{key}: {name:?} is not a member name"));
            }
        }
        Some(PayloadFields::new(
            &source.secret_fields,
            &source.search_fields,
        ))
    }

    fn wrong<T>(&mut self, problem: &str) -> Option<T> {
        self.problems.0.push(format!("{}: {problem}", self.place));
        None
    }
}

impl Source {
    pub(super) fn is_airalo(&self) -> bool {
        self.kind == Airalo::NAME
    }

    /// The settings that not every kind has, and whether they are set.
    fn of_some_kinds(&self) -> [(&'static str, bool); 16] {
        [
            ("tolerance", self.tolerance.is_some()),
            ("type_prefix", self.type_prefix.is_some()),
            ("window", self.window.is_some()),
            ("header_prefix", self.header_prefix.is_some()),
            ("header", self.header.is_some()),
            ("prefix", self.prefix.is_some()),
            ("list", self.list.is_some()),
            ("encoding", self.encoding.is_some()),
            ("algorithm", self.algorithm.is_some()),
            ("signed", self.signed.is_some()),
            ("timestamp_header", self.timestamp_header.is_some()),
            ("id_header", self.id_header.is_some()),
            ("type", self.types.is_some()),
            ("key", self.key.is_some()),
            ("repeats", self.repeats.is_some()),
            ("handshake", self.handshake.is_some()),
        ]
    }
}

//! What the address of the page Events asks for.

use crate::console::{address::Address, request::PageRequest, row, view::time};
use crate::store::{SqlArg, ViewQuery, catalog::views};
use uuid::Uuid;

/// The parameters of the page.
pub(super) const KNOWN: [&str; 10] = [
    "source",
    "type",
    "payload",
    "origin",
    "conflicts",
    "window",
    "minute",
    "after",
    "before",
    "cursor",
];
/// Those that say which time is listed.
pub(super) const TIMES: [&str; 5] = ["window", "minute", "after", "before", "cursor"];

/// How many events a filter reads at most. Without this bound a rare value would read all history.
const SCAN: u32 = 20_000;
/// A predicate on payloads parses each.
const SCAN_PAYLOADS: u32 = 500;

/// A length of time before now: its value in the address, its label, and for Postgres.
pub(super) struct Window {
    pub(super) value: &'static str,
    pub(super) label: &'static str,
    pub(super) words: &'static str,
    interval: &'static str,
    pub(super) micros: i64,
}

const HOUR: i64 = 3_600_000_000;

pub(super) const WINDOWS: [Window; 5] = [
    window("1h", "1 h", "last hour", "1 hour", HOUR),
    window("24h", "24 h", "last 24 hours", "24 hours", 24 * HOUR),
    window("7d", "7 d", "last 7 days", "7 days", 7 * 24 * HOUR),
    window("30d", "30 d", "last 30 days", "30 days", 30 * 24 * HOUR),
    window("all", "All", "whole history", "", i64::MAX),
];

const fn window(
    value: &'static str,
    label: &'static str,
    words: &'static str,
    interval: &'static str,
    micros: i64,
) -> Window {
    Window {
        value,
        label,
        words,
        interval,
        micros,
    }
}

/// The listed time.
pub(super) enum Times {
    Window(&'static Window),
    /// Seconds since 1970.
    Minute(i64),
    /// Microseconds since 1970.
    Between(Option<i64>, Option<i64>),
}

/// Where a page of the list begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    Newest,
    OlderThan(Uuid),
    NewerThan(Uuid),
}

pub(super) struct Filter {
    pub(super) source: Option<String>,
    pub(super) r#type: Option<String>,
    pub(super) payload: Option<String>,
    pub(super) origin: Option<String>,
    /// Whether only conflicts are listed.
    pub(super) conflicts: bool,
    pub(super) times: Times,
    pub(super) edge: Edge,
    /// What is wrong with the address.
    pub(super) errors: Vec<String>,
    pub(super) here: Address,
}

impl Filter {
    pub(super) fn of(request: &PageRequest) -> Self {
        let here = Address::here(request, &KNOWN);
        Self::parse(here, |name| request.parameter(name))
    }

    fn parse(here: Address, parameter: impl Fn(&str) -> Option<String>) -> Self {
        let mut errors = Vec::new();
        let mut text = |name: &str| {
            let value = parameter(name)?;
            if value.contains('\0') {
                errors.push(format!("No {name} contains the character NUL."));
                return None;
            }
            Some(value)
        };
        let (source, r#type) = (text("source"), text("type"));
        let (payload, origin) = (text("payload"), text("origin"));
        let conflicts = match parameter("conflicts").as_deref() {
            None => false,
            Some("only") => true,
            Some(_) => {
                errors.push("conflicts: the only value is “only”.".to_owned());
                false
            }
        };
        let mut time = |name: &str| {
            let value = parameter(name)?;
            let micros = parse_time(&value);
            if micros.is_none() {
                errors.push(format!(
                    "{name}: “{value}” is not a time. Write 2026-11-28 14:00, in UTC."
                ));
            }
            micros
        };
        let (after, before) = (time("after"), time("before"));
        let minute = parameter("minute").and_then(|value| {
            let minute = value
                .parse::<i64>()
                .ok()
                .filter(|minute| (0..1 << 33).contains(minute));
            if minute.is_none() {
                errors.push("minute: not a number of seconds since 1970.".to_owned());
            }
            minute
        });
        let times = match (minute, after, before) {
            (Some(minute), ..) => Times::Minute(minute - minute.rem_euclid(60)),
            (None, None, None) => Times::Window(named_window(parameter("window"), &mut errors)),
            (None, after, before) => Times::Between(after, before),
        };
        let edge = parameter("cursor").map_or(Edge::Newest, |cursor| {
            parse_edge(&cursor).unwrap_or_else(|| {
                errors.push("cursor: not the id of an event.".to_owned());
                Edge::Newest
            })
        });
        Self {
            source,
            r#type,
            payload,
            origin,
            conflicts,
            times,
            edge,
            errors,
            here,
        }
    }

    /// Whether events of the time are left out.
    pub(super) fn is_narrow(&self) -> bool {
        self.conflicts
            || [&self.source, &self.r#type, &self.payload, &self.origin]
                .iter()
                .any(|value| value.is_some())
    }

    pub(super) fn scan(&self) -> u32 {
        match self.payload {
            Some(_) => SCAN_PAYLOADS,
            None => SCAN,
        }
    }

    /// When the listed time begins and ends.
    pub(super) fn bounds(&self) -> (Option<SqlArg>, Option<SqlArg>) {
        let at = |micros: i64| SqlArg::time(time::iso(micros));
        match &self.times {
            Times::Window(window) if window.interval.is_empty() => (None, None),
            Times::Window(window) => (Some(SqlArg::ago(window.interval)), None),
            Times::Minute(start) => (
                Some(at(start * 1_000_000)),
                Some(at((start + 60) * 1_000_000)),
            ),
            Times::Between(after, before) => (after.map(at), before.map(at)),
        }
    }

    /// The act on the listed conflicts. It has no filter for payloads and origins, so with one of
    /// these it would acknowledge more than is listed.
    pub(super) fn acknowledge(&self) -> Option<Address> {
        if !self.conflicts || self.payload.is_some() || self.origin.is_some() {
            return None;
        }
        let (after, before) = match &self.times {
            Times::Window(window) if window.interval.is_empty() => (None, None),
            Times::Window(window) => (Some(window.value.to_owned()), None),
            Times::Minute(start) => (
                Some(time::iso(start * 1_000_000)),
                Some(time::iso((start + 60) * 1_000_000)),
            ),
            Times::Between(after, before) => (after.map(time::iso), before.map(time::iso)),
        };
        let address = Address::act("acknowledge_conflicts")
            .with("source", self.source.as_deref().unwrap_or_default())
            .with("type", self.r#type.as_deref().unwrap_or_default())
            .with("received_after", after.unwrap_or_default())
            .with("received_before", before.unwrap_or_default());
        Some(address)
    }

    /// The events of the time, from an edge on.
    pub(super) fn of_times(&self, edge: &Edge) -> ViewQuery {
        let (from, to) = self.bounds();
        let query = ViewQuery::of(&views::EVENTS)
            .ids_from("event_id", from)
            .ids_below("event_id", to);
        // Conflicts have an index of their own.
        let query = match self.conflicts {
            true => query.is_not_null("conflicts_with"),
            false => query,
        };
        match edge {
            Edge::Newest => query,
            Edge::OlderThan(id) => query.below("event_id", Some(SqlArg::id(id))),
            Edge::NewerThan(id) => query
                .above("event_id", Some(SqlArg::id(id)))
                .order("event_id"),
        }
    }

    /// Those of them that match.
    pub(super) fn narrowed(&self, query: ViewQuery) -> ViewQuery {
        query
            .among(self.scan())
            .is("source", self.source.as_ref().map(SqlArg::text))
            .of_type("type", self.r#type.as_deref())
            .is("origin", self.origin.as_ref().map(SqlArg::text))
            .matches("payload", self.payload.as_ref().map(SqlArg::path))
    }

    /// The same filters without a bound of time, older than everything that this page could list.
    pub(super) fn before_its_time(&self, now: i64) -> Option<Self> {
        let start = match &self.times {
            Times::Window(window) if window.interval.is_empty() => return None,
            Times::Window(window) => now.saturating_sub(window.micros),
            Times::Minute(start) => start * 1_000_000,
            Times::Between(after, _) => (*after)?,
        };
        Some(Self {
            source: self.source.clone(),
            r#type: self.r#type.clone(),
            payload: self.payload.clone(),
            origin: self.origin.clone(),
            conflicts: self.conflicts,
            times: Times::Between(None, Some(start)),
            edge: Edge::Newest,
            errors: Vec::new(),
            here: self.here.clone(),
        })
    }

    pub(super) fn words(&self) -> String {
        match &self.times {
            Times::Window(window) => format!("the {}", window.words),
            Times::Minute(start) => format!("the minute of {}", minute_text(*start)),
            Times::Between(..) => "this time".to_owned(),
        }
    }
}

pub(super) fn minute_text(start: i64) -> String {
    time::full(start * 1_000_000)[..16].to_owned()
}

pub(super) fn edge_text(edge: &Edge) -> String {
    match edge {
        Edge::Newest => String::new(),
        Edge::OlderThan(id) => id.to_string(),
        Edge::NewerThan(id) => format!("newer-{id}"),
    }
}

fn parse_edge(cursor: &str) -> Option<Edge> {
    match cursor.strip_prefix("newer-") {
        Some(id) => Some(Edge::NewerThan(id.parse().ok()?)),
        None => Some(Edge::OlderThan(cursor.parse().ok()?)),
    }
}

fn named_window(value: Option<String>, errors: &mut Vec<String>) -> &'static Window {
    let Some(value) = value else {
        return &WINDOWS[1];
    };
    let known = WINDOWS.iter().find(|window| window.value == value);
    known.unwrap_or_else(|| {
        errors.push("window: choose 1h, 24h, 7d, 30d or all.".to_owned());
        &WINDOWS[1]
    })
}

/// `2026-11-28`, `2026-11-28 14:00`, `2026-11-28T14:00:05.5Z`. The zone is UTC.
fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim().trim_end_matches("UTC").trim_end();
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
    if date.len() != 10 || clock.len() > 20 {
        return None;
    }
    let clock = match clock.matches(':').count() {
        1 => format!("{clock}:00"),
        _ => clock.to_owned(),
    };
    let micros = row::parse(&format!("{date}T{clock}Z"))?;
    // A date that does not exist, such as 31 February, would become another one.
    let is_same = time::iso(micros).starts_with(&format!("{date}T{}", clock.get(..8)?));
    is_same.then_some(micros)
}

#[cfg(test)]
mod tests;

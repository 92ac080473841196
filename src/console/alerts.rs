//! Alerts: what Hookfast reported, whether it goes on, and what to do about it.

use super::{
    address::{Address, Choice, is_segment},
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::{
        marks::{self, Breaks, Run},
        number,
        runbook::{self, Block, Names, Part},
        short, state,
    },
};
use crate::store::catalog::{functions, views};
use crate::store::{SqlArg, ViewQuery, Work};
use askama::Template;
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Each has its section of the runbook, so they are few.
const PAGE: usize = 20;

/// Newer alerts are counted up to this number.
const NEWER: u32 = 100;

/// Alerts that a page reads to find those of a tab.
const SCAN: u32 = 5_000;

/// The types that report a condition, which ends.
const CONDITIONS: &str = "hookfast.handler.paused,hookfast.handler.opened,hookfast.handler.unserved,\
    hookfast.handler.failing,hookfast.handler.behind,hookfast.source.silent,hookfast.source.rejecting,\
    hookfast.source.all_rejected,hookfast.source.unrouted,hookfast.quarantine.full";

/// The types that report something that happened, and does not end.
const OCCURRENCES: &str = "hookfast.delivery.dead,hookfast.lease.lost,hookfast.conflict,\
    hookfast.retention.announced,airalo.order.overdue";

const TABS: [(&str, &str); 5] = [
    ("open", "open"),
    ("muted", "muted until changed"),
    ("resolved", "resolved"),
    ("reported", "single events"),
    ("all", "all"),
];

/// The windows by when they were raised, with the interval for Postgres.
const WINDOWS: [(&str, Option<&str>); 5] = [
    ("1h", Some("1 hour")),
    ("24h", Some("24 hours")),
    ("7d", Some("7 days")),
    ("30d", Some("30 days")),
    ("all", None),
];

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    frame: Frame,
    /// Whether the page is about one alert.
    is_one: bool,
    alerts: Vec<Alert>,
    tab: &'static str,
    may_mute: bool,
    may_unmute: bool,
    tabs: Vec<Choice>,
    windows: Vec<Choice>,
    /// `12 newer`, on a page behind a cursor.
    newer: String,
    first: String,
    next: String,
    /// The address of the alerts behind those that were read, if there may be more.
    stopped: Option<String>,
}

/// A row of `hookfast.alerts`.
#[derive(Deserialize)]
struct AlertRow {
    event_id: String,
    r#type: String,
    received_at: Timestamp,
    message: String,
    payload: Option<Box<RawValue>>,
    is_open: bool,
    resolved_at: Option<Timestamp>,
    muted_at: Option<Timestamp>,
    muted_by: Option<String>,
    muted_why: Option<String>,
}

/// An alert with its section of the runbook.
struct Alert {
    row: AlertRow,
    subject: String,
    state: &'static str,
    facts: Vec<Fact>,
    runbook: Vec<Part>,
}

/// A member of the payload.
struct Fact {
    name: String,
    text: String,
    /// The page about it.
    href: String,
}

impl Fact {
    fn runs(&self) -> Vec<Run<'_>> {
        marks::runs(&self.text, Breaks::Mark)
    }

    fn is_masked(&self) -> bool {
        self.text == "***"
    }
}

impl Alert {
    fn of(row: AlertRow) -> Self {
        let facts = facts(row.payload.as_deref());
        let names = names(&facts);
        let subject = ["handler", "source", "description", "class"]
            .into_iter()
            .find_map(|name| value(&facts, name))
            .unwrap_or_default();
        Self {
            state: match (row.is_open, is_condition(&row.r#type)) {
                (true, _) if row.muted_at.is_some() => "muted",
                (true, _) => "open",
                (false, true) => "resolved",
                (false, false) => "reported",
            },
            subject,
            runbook: runbook::section(&row.r#type, &names),
            facts,
            row,
        }
    }

    fn address(&self) -> String {
        Address::to("/alerts").part(&self.row.event_id).href()
    }

    fn act(&self, function: &str) -> String {
        Address::act(function)
            .with("event_id", &self.row.event_id)
            .href()
    }

    /// Why it is muted; `None` if the visitor may not see the reason.
    fn muted_why(&self) -> Option<Vec<Run<'_>>> {
        let why = self.row.muted_why.as_deref().filter(|why| *why != "***")?;
        Some(marks::runs(why, Breaks::Mark))
    }

    fn subject(&self) -> Vec<Run<'_>> {
        marks::runs(&self.subject, Breaks::Mark)
    }
}

impl AlertsPage {
    fn kind(&self, word: &str) -> &'static str {
        match word {
            "open" => "critical",
            "muted" => "paused",
            other => state::kind(other),
        }
    }

    /// What the type means, with the times of this one.
    fn sentence(&self, alert: &Alert) -> String {
        let message = short::capital(&alert.row.message);
        let now = self.frame.as_of;
        match (alert.state, alert.row.resolved_at) {
            ("open", _) => format!(
                "{message}. It was reported {} and goes on.",
                alert.row.received_at.age(now)
            ),
            ("muted", _) => format!(
                "{message}. Reported {}, still open, and muted until it changes.",
                alert.row.received_at.age(now)
            ),
            ("resolved", Some(at)) => format!("{message}. It ended {}.", at.age(now)),
            ("resolved", None) => format!("{message}. It has ended."),
            _ => format!("{message}."),
        }
    }
}

fn is_condition(alert_type: &str) -> bool {
    CONDITIONS.split(',').any(|known| known == alert_type)
}

fn facts(payload: Option<&RawValue>) -> Vec<Fact> {
    let members: BTreeMap<String, Box<RawValue>> = payload
        .and_then(|payload| serde_json::from_str(payload.get()).ok())
        .unwrap_or_default();
    members
        .into_iter()
        .map(|(name, value)| {
            // Numbers and lists stay as they are written.
            let text = serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned());
            let page = match name.as_str() {
                "handler" => Some(Address::handler(&text)),
                "source" => Some(Address::source(&text)),
                "event_id" | "first_event_id" => Some(Address::event(&text)),
                _ => None,
            };
            let page = page.filter(|_| is_segment(&text));
            let href = page.map_or_else(String::new, |page| page.href());
            Fact { name, text, href }
        })
        .collect()
}

fn value(facts: &[Fact], name: &str) -> Option<String> {
    let fact = facts.iter().find(|fact| fact.name == name)?;
    (!fact.is_masked()).then(|| fact.text.clone())
}

fn names(facts: &[Fact]) -> Names {
    Names {
        handler: value(facts, "handler"),
        source: value(facts, "source"),
        event_id: value(facts, "event_id"),
        delivery_id: value(facts, "delivery_id").and_then(|id| id.parse().ok()),
        description: value(facts, "description"),
    }
}

pub(super) async fn page(request: PageRequest) -> Result<Response, PageError> {
    let tab = (request.parameter("state"))
        .and_then(|tab| TABS.into_iter().find(|(known, _)| *known == tab))
        .map_or(TABS[0].0, |(tab, _)| tab);
    let (window, interval) = (request.parameter("window"))
        .and_then(|window| WINDOWS.into_iter().find(|(known, _)| *known == window))
        .unwrap_or(WINDOWS[if is_now(tab) { 4 } else { 1 }]);
    let cursor = request
        .parameter("cursor")
        .and_then(|cursor| Uuid::parse_str(&cursor).ok());
    let mut visit = request.visit(Work::Page).await?;
    let of_window = || {
        ViewQuery::of(&views::ALERTS)
            .ids_from("event_id", interval.map(SqlArg::ago))
            .below("event_id", cursor.map(SqlArg::id))
    };
    // The payloads of those that are searched are not read.
    let ids = of_tab(of_window(), tab)
        .columns(&["event_id"])
        .limit(PAGE as u32 + 1);
    let ids: Vec<IdRow> = visit.rows(ids).await?;
    let ids: Vec<_> = ids.into_iter().map(|row| row.event_id).collect();
    let rows_of = ViewQuery::of(&views::ALERTS).ids("event_id", &ids);
    let mut rows: Vec<AlertRow> = visit.rows(rows_of).await?;
    let stopped_at: Option<IdRow> = match is_searched(tab) && rows.len() <= PAGE {
        true => {
            let last = of_window().columns(&["event_id"]).skip(SCAN - 1).limit(1);
            visit.rows(last).await?.pop()
        }
        false => None,
    };
    let newer: Vec<IdRow> = match cursor {
        Some(last) => {
            let newer = ViewQuery::of(&views::ALERTS)
                .ids_from("event_id", interval.map(SqlArg::ago))
                .from("event_id", Some(SqlArg::id(last)));
            let ids = of_tab(newer, tab).columns(&["event_id"]).limit(NEWER + 1);
            visit.rows(ids).await?
        }
        None => Vec::new(),
    };
    let (may_mute, may_unmute) = (
        visit.visitor.may(&functions::MUTE_ALERT),
        visit.visitor.may(&functions::UNMUTE_ALERT),
    );
    let frame = Frame::of(&request, &mut visit, "/alerts", "Alerts").await?;
    visit.finish().await?;
    let has_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let address = |tab: &str, window: &str| {
        Address::to("/alerts")
            .with("state", tab)
            .with("window", if is_now(tab) { "" } else { window })
    };
    let next = match rows.last() {
        Some(last) if has_more => address(tab, window).with("cursor", &last.event_id).href(),
        _ => String::new(),
    };
    let stopped = stopped_at.map(|last| address(tab, window).with("cursor", last.event_id).href());
    let tab_window = if is_now(tab) { "" } else { window };
    written(&AlertsPage {
        frame,
        is_one: false,
        alerts: rows.into_iter().map(Alert::of).collect(),
        tab,
        may_mute,
        may_unmute,
        tabs: (TABS.into_iter())
            .map(|(choice, label)| Choice {
                href: address(choice, tab_window).href(),
                label: label.to_owned(),
                current: choice == tab,
            })
            .collect(),
        windows: (WINDOWS.into_iter())
            .filter(|_| !is_now(tab))
            .map(|(choice, _)| Choice {
                href: address(tab, choice).href(),
                label: choice.to_owned(),
                current: choice == window,
            })
            .collect(),
        newer: number::newer(newer.len(), NEWER),
        first: match cursor {
            Some(_) => address(tab, window).href(),
            None => String::new(),
        },
        next,
        stopped,
    })
}

/// The page of one alert.
pub(super) async fn one(
    Path(event_id): Path<String>,
    request: PageRequest,
) -> Result<Response, PageError> {
    let missing = || {
        PageError::Missing(
            "No alert has this id. Retention may have purged it: the page Alerts lists those that are stored."
                .to_owned(),
        )
    };
    let event_id = Uuid::parse_str(&event_id).map_err(|_| missing())?;
    let mut visit = request.visit(Work::Page).await?;
    let query = ViewQuery::of(&views::ALERTS).is("event_id", Some(SqlArg::id(event_id)));
    let rows: Vec<AlertRow> = visit.rows(query).await?;
    let Some(row) = rows.into_iter().next() else {
        return Err(missing());
    };
    let title = format!("Alert {}", row.r#type);
    let (may_mute, may_unmute) = (
        visit.visitor.may(&functions::MUTE_ALERT),
        visit.visitor.may(&functions::UNMUTE_ALERT),
    );
    let frame = Frame::of(&request, &mut visit, "/alerts", title).await?;
    visit.finish().await?;
    written(&AlertsPage {
        frame,
        is_one: true,
        alerts: vec![Alert::of(row)],
        tab: "",
        may_mute,
        may_unmute,
        tabs: Vec::new(),
        windows: Vec::new(),
        newer: String::new(),
        first: String::new(),
        next: String::new(),
        stopped: None,
    })
}

fn of_tab(query: ViewQuery, tab: &str) -> ViewQuery {
    let types = |types: &str| Some(SqlArg::text(types));
    match tab {
        // No index has this order, so the few open alerts are found first.
        "open" => query
            .holds("is_open")
            .is_null("muted_at")
            .order("received_at DESC, event_id DESC"),
        "muted" => (query.holds("is_open"))
            .is_not_null("muted_at")
            .order("received_at DESC, event_id DESC"),
        "resolved" => (query.among(SCAN))
            .one_of("type", types(CONDITIONS))
            .fails("is_open"),
        "reported" => query.among(SCAN).one_of("type", types(OCCURRENCES)),
        _ => query,
    }
}

/// Whether a tab lists open alerts, which have no time window.
fn is_now(tab: &str) -> bool {
    ["open", "muted"].contains(&tab)
}

/// Whether the alerts of a tab are searched among a bounded number.
fn is_searched(tab: &str) -> bool {
    ["resolved", "reported"].contains(&tab)
}

#[derive(Deserialize)]
struct IdRow {
    event_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(alert_type: &str, payload: &str) -> Alert {
        Alert::of(AlertRow {
            event_id: "01a2216f-ac13-755d-9aa7-441aa8cdc63e".to_owned(),
            r#type: alert_type.to_owned(),
            received_at: Timestamp(0),
            message: String::new(),
            payload: Some(RawValue::from_string(payload.to_owned()).expect("JSON")),
            is_open: false,
            resolved_at: None,
            muted_at: None,
            muted_by: None,
            muted_why: None,
        })
    }

    #[test]
    fn each_type_of_the_runbook_is_a_condition_or_an_occurrence() {
        let runbook = include_str!("../../docs/RUNBOOK.md");
        let mut types: Vec<_> = runbook
            .split("\n## ")
            .skip(1)
            .filter_map(|section| section.lines().next())
            .filter(|alert_type| *alert_type != "hookfast.resolved")
            .collect();
        let mut known: Vec<_> = CONDITIONS
            .split(',')
            .chain(OCCURRENCES.split(','))
            .collect();
        types.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, types);
    }

    #[test]
    fn members_of_the_payload_are_facts_with_links() {
        let alert = alert(
            "hookfast.delivery.dead",
            r#"{"handler": "shop", "delivery_id": 1970670598291982290, "error": "***", "types": ["a", "b"]}"#,
        );
        assert_eq!(alert.subject, "shop");
        assert_eq!(alert.state, "reported");
        let facts: Vec<_> = alert
            .facts
            .iter()
            .map(|fact| (fact.name.as_str(), fact.text.as_str(), fact.href.as_str()))
            .collect();
        assert_eq!(
            facts,
            [
                ("delivery_id", "1970670598291982290", ""),
                ("error", "***", ""),
                ("handler", "shop", "/handlers/shop"),
                ("types", r#"["a", "b"]"#, ""),
            ]
        );
        assert!(alert.facts[1].is_masked());
        assert_eq!(alert.runbook.len(), 4);
    }

    #[test]
    fn a_condition_that_is_not_open_is_resolved() {
        let alert = alert("hookfast.handler.failing", "{}");
        assert_eq!(alert.state, "resolved");
        assert_eq!(alert.subject, "");
    }
}

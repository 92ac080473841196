//! Alerts: the conditions and events that Hookfast reported, whether they still hold, and what to do.

mod facts;
mod remedies;

use super::{
    address::{Address, Choice},
    conflicts::{self, Conflict},
    event_row,
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    summary::HandlerRow,
    view::{
        marks::{self, Breaks, Run},
        number,
        runbook::{self, Block, Part},
        short, state,
    },
};
use crate::store::catalog::{Function, functions, views};
use crate::store::{AsVisitor, SqlArg, ViewQuery, VisitError, Work};
use askama::Template;
use axum::{extract::Path, response::Response};
use facts::{Fact, facts, names, subject, value};
use remedies::ActLink;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use uuid::Uuid;

/// Each has its section of the runbook, so they are few.
const PAGE: usize = 20;

/// Newer alerts are counted up to this number.
const NEWER: u32 = 100;

/// Alerts that a page reads to find those of a tab.
const SCAN: u32 = 5_000;

const CONFLICT: &str = "hookfast.conflict";

/// The types that report a condition, which ends.
const CONDITIONS: &str = "hookfast.handler.paused,hookfast.handler.opened,hookfast.handler.unserved,\
    hookfast.handler.failing,hookfast.handler.behind,hookfast.source.silent,hookfast.source.rejecting,\
    hookfast.source.all_rejected,hookfast.source.unrouted,hookfast.quarantine.full";

/// The conditions that stop deliveries or webhooks.
const SEVERE: &str = "hookfast.handler.opened,hookfast.handler.unserved,hookfast.handler.failing,\
    hookfast.source.rejecting,hookfast.source.all_rejected,hookfast.quarantine.full";

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
    /// The link to what was resolved lately, if nothing is open.
    resolved: Option<(String, String)>,
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
    /// What distinguishes it from others of its type.
    subject: String,
    state: &'static str,
    facts: Vec<Fact>,
    runbook: Vec<Part>,
    /// The acts that do what the runbook says, the usual one first.
    acts: Vec<ActLink>,
}

impl Alert {
    fn of(
        row: AlertRow,
        conflicts: &HashMap<String, Conflict>,
        may: &dyn Fn(&Function) -> bool,
    ) -> Self {
        let facts = facts(row.payload.as_deref());
        let names = names(&facts);
        let conflict = names.event_id.as_ref().and_then(|id| conflicts.get(id));
        let state = match (row.is_open, is_condition(&row.r#type)) {
            (true, _) if row.muted_at.is_some() => "muted",
            (true, _) => "open",
            (false, true) => "resolved",
            (false, false) => match conflict.filter(|_| row.r#type == CONFLICT) {
                Some(conflict) if conflict.is_acknowledged() => "acknowledged",
                Some(_) => "not acknowledged",
                None => "reported",
            },
        };
        Self {
            state,
            subject: subject(&row.r#type, &facts, conflict),
            runbook: runbook::section(&row.r#type, &names),
            acts: remedies::acts(&row.r#type, &facts, may),
            facts,
            row,
        }
    }

    /// Its handler as it is now, if it is about one.
    fn handler<'a>(&self, frame: &'a Frame) -> Option<&'a HandlerRow> {
        let name = value(&self.facts, "handler")?;
        let rows = &frame.summary.handler_rows;
        rows.iter().find(|row| row.handler == name)
    }

    /// Without acts that have nothing to act on.
    fn useful(mut self, frame: &Frame) -> Self {
        let has_dead = self.handler(frame).is_some_and(|row| row.dead_letters > 0);
        self.acts
            .retain(|act| has_dead || !act.needs_dead_letters());
        self
    }

    /// The usual act, unless nothing is left to do.
    fn usual_act(&self) -> Option<&ActLink> {
        let is_done = ["resolved", "acknowledged"].contains(&self.state);
        self.acts.first().filter(|_| !is_done)
    }

    /// The acts that do the same as statements of the runbook.
    fn acts_of(&self, code: &str) -> Vec<&ActLink> {
        self.acts.iter().filter(|act| act.does(code)).collect()
    }

    /// The event that it is about: its id and its address.
    fn event(&self) -> Option<(&str, &str)> {
        let fact = self.facts.iter().find(|fact| fact.name == "event_id")?;
        (!fact.href.is_empty()).then_some((fact.text.as_str(), fact.href.as_str()))
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

    /// Its own state in words: "open" beside a handler would be that of its circuit breaker.
    fn word(&self) -> &'static str {
        match self.state {
            "open" => "alert open",
            other => other,
        }
    }

    fn subject(&self) -> Vec<Run<'_>> {
        marks::runs(&self.subject, Breaks::Mark)
    }
}

impl AlertsPage {
    fn kind(&self, alert: &Alert) -> &'static str {
        match alert.state {
            "open" if SEVERE.split(',').any(|known| known == alert.row.r#type) => "critical",
            "open" => "warning",
            "muted" => "paused",
            "not acknowledged" => "critical",
            other => state::kind(other),
        }
    }

    /// What its handler does now, if that is what it reports: `: the last 6 attempts failed`.
    fn why(&self, alert: &Alert) -> String {
        let handler = alert.handler(&self.frame);
        let why = handler.and_then(|row| row.why.as_deref());
        why.map_or_else(String::new, |why| {
            format!(": {}", event_row::plain(why, 160))
        })
    }

    /// What the type means, with the times of this one.
    fn sentence(&self, alert: &Alert) -> String {
        let message = short::capital(&alert.row.message);
        let now = self.frame.as_of;
        match (alert.state, alert.row.resolved_at) {
            ("open", _) => format!(
                "{message}{}. It was reported {} and still holds.",
                self.why(alert),
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

/// The conflicts that the alerts are about.
async fn conflicts_of(
    visit: &mut AsVisitor,
    rows: &[AlertRow],
) -> Result<HashMap<String, Conflict>, VisitError> {
    let conflicts = rows.iter().filter(|row| row.r#type == CONFLICT);
    let ids = conflicts.filter_map(|row| value(&facts(row.payload.as_deref()), "event_id"));
    let ids: Vec<_> = ids.filter(|id| Uuid::parse_str(id).is_ok()).collect();
    conflicts::by_id(visit, &ids).await
}

/// The link to the conditions that ended in the last 24 hours.
async fn lately_resolved(visit: &mut AsVisitor) -> Result<Option<(String, String)>, VisitError> {
    let most = PAGE as u32;
    let raised = ViewQuery::of(&views::ALERTS).ids_from("event_id", Some(SqlArg::ago("24 hours")));
    let ids = of_tab(raised, "resolved")
        .columns(&["event_id"])
        .limit(most + 1);
    let ids: Vec<IdRow> = visit.rows(ids).await?;
    let count = number::capped(ids.len() as i64, most.into());
    let address = Address::to("/alerts").with("state", "resolved");
    Ok((!ids.is_empty()).then(|| {
        (
            format!("Show {count} resolved of the last 24 hours"),
            address.with("window", "24h").href(),
        )
    }))
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
    let has_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let conflicts = conflicts_of(&mut visit, &rows).await?;
    let resolved = match tab == "open" && rows.is_empty() && cursor.is_none() {
        true => lately_resolved(&mut visit).await?,
        false => None,
    };
    let frame = Frame::of(&request, &mut visit, "/alerts", "Alerts").await?;
    let visitor = visit.visitor.clone();
    visit.finish().await?;
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
        is_one: false,
        alerts: (rows.into_iter())
            .map(|row| Alert::of(row, &conflicts, &|function| visitor.may(function)).useful(&frame))
            .collect(),
        frame,
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
        resolved,
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
    let conflicts = conflicts_of(&mut visit, &rows).await?;
    let Some(row) = rows.into_iter().next() else {
        return Err(missing());
    };
    let title = format!("Alert {}", row.r#type);
    let (may_mute, may_unmute) = (
        visit.visitor.may(&functions::MUTE_ALERT),
        visit.visitor.may(&functions::UNMUTE_ALERT),
    );
    let frame = Frame::of(&request, &mut visit, "/alerts", title).await?;
    let visitor = visit.visitor.clone();
    visit.finish().await?;
    let alert = Alert::of(row, &conflicts, &|function| visitor.may(function)).useful(&frame);
    written(&AlertsPage {
        frame,
        is_one: true,
        alerts: vec![alert],
        tab: "",
        may_mute,
        may_unmute,
        tabs: Vec::new(),
        windows: Vec::new(),
        newer: String::new(),
        first: String::new(),
        next: String::new(),
        stopped: None,
        resolved: None,
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

    const ACKNOWLEDGED: &str = "01a2216f-ac13-755d-9aa7-441aa8cdc63f";
    const OTHER: &str = "01a2216f-ac13-755d-9aa7-441aa8cdc63e";

    fn alert(alert_type: &str, payload: &str) -> Alert {
        let row = AlertRow {
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
        };
        let conflicts = serde_json::from_value(serde_json::json!({
            ACKNOWLEDGED: {"event_id": ACKNOWLEDGED, "acknowledged_at": "2026-11-28T12:03:04+00:00"},
            OTHER: {"event_id": OTHER, "idempotency_key": "k"},
        }));
        Alert::of(row, &conflicts.expect("conflicts"), &|_| true)
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
    fn a_conflict_is_acknowledged_or_not() {
        let of = |id: &str| alert(CONFLICT, &format!(r#"{{"event_id": "{id}"}}"#));
        let acknowledged = of(ACKNOWLEDGED);
        assert_eq!(acknowledged.state, "acknowledged");
        assert!(acknowledged.usual_act().is_none());
        let other = of(OTHER);
        assert_eq!(other.state, "not acknowledged");
        assert_eq!(other.subject, "k");
        let act = other.usual_act().expect("an act");
        assert_eq!(
            act.href,
            format!("/act/acknowledge_conflict?event_id={OTHER}")
        );
        let event = other.event().expect("an event");
        assert_eq!(event, (OTHER, format!("/events/{OTHER}").as_str()));
        // Retention has purged it.
        assert_eq!(of("01a2216f-ac13-755d-9aa7-441aa8cdc640").state, "reported");
    }

    #[test]
    fn a_condition_that_is_not_open_is_resolved() {
        let alert = alert("hookfast.handler.failing", "{}");
        assert_eq!(alert.state, "resolved");
        assert_eq!(alert.subject, "");
    }
}

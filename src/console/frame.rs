//! What is around every page: navigation with its counts, the exceptions, the intake strip, who the
//! visitor is, and as of when.

use super::{
    address::Address,
    assets,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    summary::{self, Exception, Summary},
    view::{number, state, strip::Strip},
};
use crate::store::catalog::views;
use crate::store::{AsVisitor, SqlArg, ViewQuery};
use serde::Deserialize;
use std::sync::Arc;

/// The pages of the navigation.
const PAGES: [(&str, &str); 8] = [
    ("/", "Now"),
    ("/find", "Find"),
    ("/orders", "Orders"),
    ("/events", "Events"),
    ("/handlers", "Handlers"),
    ("/dead", "Dead letters"),
    ("/alerts", "Alerts"),
    ("/sources", "Sources"),
];

/// Those that are at the bottom of a phone. The others are behind "More".
const ON_PHONES: [&str; 4] = ["/", "/find", "/orders", "/dead"];

/// A link of the navigation.
pub(super) struct NavItem {
    pub(super) href: &'static str,
    pub(super) label: &'static str,
    pub(super) current: bool,
    pub(super) badge: Option<Badge>,
}

/// A count of what needs attention, beside a link.
pub(super) struct Badge {
    pub(super) kind: &'static str,
    pub(super) count: String,
    /// What is counted, for screen readers.
    pub(super) of: &'static str,
}

/// The frame of one page.
pub(super) struct Frame {
    pub(super) title: String,
    /// The verdict, in the title of the tab: `◆ shop fails`.
    pub(super) verdict: String,
    pub(super) theme: Option<&'static str>,
    /// How often the page is read again, in seconds.
    pub(super) refresh: Option<u32>,
    pub(super) term: String,
    pub(super) as_of: Timestamp,
    pub(super) person: String,
    pub(super) role: String,
    /// Whether the session has only the reader's role now, and a new ticket would give more.
    pub(super) is_lapsed: bool,
    /// Whether there is a session that can be ended. A reverse proxy's visitors have none here.
    pub(super) has_session: bool,
    pub(super) nav: Vec<NavItem>,
    pub(super) exceptions: Vec<Exception>,
    pub(super) strip: Option<Strip>,
    /// The statements that filled the page.
    pub(super) ran: Vec<String>,
    /// Those that filled what is around every page, and the parts of pages that show the same.
    pub(super) ran_for_all: Vec<String>,
    pub(super) summary: Arc<Summary>,
}

impl Frame {
    /// Reads what the frame shows. To be called after the page's own statements: those are shown as
    /// what filled the page.
    pub(super) async fn of(
        request: &PageRequest,
        visit: &mut AsVisitor,
        page: &'static str,
        title: impl Into<String>,
    ) -> Result<Self, PageError> {
        let ran = visit.ran().to_vec();
        let is_lapsed = is_lapsed(visit).await?;
        let of_session = visit.ran().get(ran.len()..).unwrap_or_default().to_vec();
        let summary = request
            .console
            .shared
            .summaries
            .of(visit, "", summary::read)
            .await?;
        let nav = PAGES.map(|(href, label)| NavItem {
            href,
            label,
            current: href == page,
            badge: badge(href, &summary),
        });
        let as_of = Timestamp(visit.as_of);
        let visitor = &visit.visitor;
        // Those without a mark need no action.
        let worst = (summary.exceptions.first()).filter(|worst| !worst.mark.is_empty());
        Ok(Self {
            title: title.into(),
            verdict: worst.map_or_else(String::new, |worst| {
                format!("{}{}", state::glyph(worst.mark), worst.text)
            }),
            theme: request.theme,
            refresh: None,
            term: String::new(),
            as_of,
            person: visitor.person.clone(),
            role: visitor.role.clone(),
            is_lapsed,
            has_session: visitor.access_id.is_some(),
            nav: nav.into(),
            exceptions: summary.exceptions.clone(),
            strip: (page != "/").then(|| Strip::thin(&summary.minutes, minute_address)),
            ran,
            ran_for_all: [summary.ran.as_slice(), &of_session].concat(),
            summary,
        })
    }

    #[cfg(test)]
    pub(super) fn sample() -> Self {
        Self {
            title: "Design".to_owned(),
            verdict: String::new(),
            theme: None,
            refresh: None,
            term: String::new(),
            as_of: Timestamp(0),
            person: "mira".to_owned(),
            role: "operator".to_owned(),
            is_lapsed: false,
            has_session: true,
            nav: Vec::new(),
            exceptions: Vec::new(),
            strip: None,
            ran: Vec::new(),
            ran_for_all: Vec::new(),
            summary: Arc::default(),
        }
    }

    /// Reads the page again every so many seconds.
    pub(super) fn refreshed(mut self, seconds: u32) -> Self {
        self.refresh = Some(seconds);
        self
    }

    pub(super) fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// Its shape says the verdict too.
    pub(super) fn icon(&self) -> String {
        assets::address(match self.exceptions.first().map(|worst| worst.mark) {
            Some("critical") => "icon-critical.svg",
            Some("warning") => "icon-warning.svg",
            _ => "icon.svg",
        })
    }

    pub(super) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    pub(super) fn is_at(&self, href: &str) -> bool {
        self.nav
            .iter()
            .any(|item| item.href == href && item.current)
    }

    pub(super) fn badge(&self, href: &str) -> Option<&Badge> {
        self.nav
            .iter()
            .find(|item| item.href == href)?
            .badge
            .as_ref()
    }

    pub(super) fn more(&self) -> impl Iterator<Item = &NavItem> {
        self.nav
            .iter()
            .filter(|item| !ON_PHONES.contains(&item.href))
    }
}

/// Whether the session had a role by which it acted, and only reads now.
async fn is_lapsed(visit: &mut AsVisitor) -> Result<bool, PageError> {
    #[derive(Deserialize)]
    struct OfTicket {
        role: Option<String>,
    }
    let visitor = &visit.visitor;
    let (Some(access_id), Some(acts_until)) = (visitor.access_id, visitor.acts_until) else {
        return Ok(false);
    };
    if acts_until > visit.as_of {
        return Ok(false);
    }
    let of_ticket = ViewQuery::of(&views::ACCESS)
        .columns(&["role"])
        .is("access_id", Some(SqlArg::number(access_id)));
    let of_ticket: Option<OfTicket> = visit.rows(of_ticket).await?.pop();
    let role = of_ticket.and_then(|row| row.role);
    Ok(role.is_some_and(|role| role != visit.visitor.role))
}

/// The events of a minute.
pub(super) fn minute_address(start: i64) -> String {
    Address::to("/events").with("minute", start).href()
}

fn badge(href: &str, summary: &Summary) -> Option<Badge> {
    let (count, kind, of) = match href {
        "/orders" => (summary.orders, "warning", "need attention"),
        "/handlers" => (summary.handlers, "critical", "not working"),
        "/dead" => (summary.dead_letters, "", "dead letters"),
        "/alerts" => (summary.alerts, "warning", "open"),
        "/sources" => (summary.sources, "warning", "need attention"),
        _ => return None,
    };
    (count > 0).then(|| Badge {
        kind,
        count: number::capped(count, 9_999),
        of,
    })
}

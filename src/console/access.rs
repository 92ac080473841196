//! Access: who is logged in, with which role, and how to end that.

use super::{
    address::Address, frame::Frame, page::written, problem::PageError, request::PageRequest,
    row::Timestamp,
};
use crate::store::catalog::{functions, views};
use crate::store::{SqlArg, ViewQuery, Work};
use askama::Template;
use axum::response::Response;
use serde::Deserialize;

/// How many rows a page has.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "access.html")]
struct AccessPage {
    frame: Frame,
    rows: Vec<AccessRow>,
    /// The id of the visitor's own; 0 without a session.
    own: i64,
    sees_all: bool,
    older: String,
}

/// A row of `hookfast.access`.
#[derive(Deserialize)]
struct AccessRow {
    access_id: i64,
    person: Option<String>,
    role: Option<String>,
    state: String,
    issued_at: Timestamp,
    seen_at: Option<Timestamp>,
    acts_until: Option<Timestamp>,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
    ended_because: Option<String>,
}

impl AccessRow {
    fn person(&self) -> &str {
        self.person.as_deref().unwrap_or("a dropped role")
    }

    fn role(&self) -> &str {
        self.role.as_deref().unwrap_or("a dropped role")
    }

    fn kind(&self) -> &'static str {
        match self.state.as_str() {
            "session" => "ok",
            "ticket" => "waiting",
            _ => "none",
        }
    }

    fn is_open(&self) -> bool {
        ["session", "ticket"].contains(&self.state.as_str())
    }

    fn revoke(&self) -> String {
        Address::act("revoke_access")
            .with("access_id", self.access_id)
            .href()
    }

    /// What the row says besides its state.
    fn note(&self, now: Timestamp) -> String {
        match (&self.ended_because, self.ended_at) {
            (Some(because), Some(at)) => format!("{because}, {}", at.age(now)),
            _ if self.is_open() => format!("ends {}", self.expires_at.age(now)),
            _ => format!("ended {}", self.expires_at.age(now)),
        }
    }

    /// Until when it acts with its role.
    fn acts(&self, now: Timestamp) -> String {
        match self.acts_until {
            Some(until) if self.is_open() && until > now => until.near(now),
            Some(_) if self.is_open() => "only reads".to_owned(),
            _ => String::new(),
        }
    }
}

pub(super) async fn access(request: PageRequest) -> Result<Response, PageError> {
    let before = request
        .parameter("before")
        .and_then(|text| text.parse().ok());
    let mut visit = request.visit(Work::Page).await?;
    let query = ViewQuery::of(&views::ACCESS)
        .below("access_id", before.map(SqlArg::number))
        .limit(ROWS as u32 + 1);
    let mut rows: Vec<AccessRow> = visit.rows(query).await?;
    let has_more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let frame = Frame::of(&request, &mut visit, "/access", "Access").await?;
    let own = visit.visitor.access_id.unwrap_or_default();
    let sees_all = visit.visitor.may(&functions::DISCARD);
    visit.finish().await?;
    let last = rows.last().filter(|_| has_more);
    written(&AccessPage {
        older: last.map_or_else(String::new, |row| {
            Address::to("/access").with("before", row.access_id).href()
        }),
        frame,
        rows,
        own,
        sees_all,
    })
}

//! One quarantined request: why it failed and what to do, and what it contains.

use super::super::{
    address::Address,
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::{
        marks::{self, Breaks, Run},
        number,
        path::{EventPath, Reached, Step},
        payload::{Payload, Shape},
        short,
    },
};
use super::advice::{self, Advice};
use crate::domain::header_values;
use crate::store::catalog::{functions, views};
use crate::store::{AsVisitor, SqlArg, ViewQuery, Visitor, Work};
use askama::Template;
use axum::{
    extract::{Path, rejection::PathRejection},
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "quarantined.html")]
struct QuarantinedPage<'a> {
    frame: Frame,
    request: Quarantined,
    advice: Advice,
    path: EventPath,
    headers: Vec<(String, Vec<Vec<u8>>)>,
    shapes: Vec<Tab>,
    /// `None` if the visitor may not see the body.
    body: Option<Payload<'a>>,
    acts: Vec<Link>,
}

struct Tab {
    href: String,
    label: &'static str,
    current: bool,
}

/// An act, and what it changes.
struct Link {
    label: &'static str,
    href: String,
    kind: &'static str,
    sentence: &'static str,
}

/// A row of `hookfast.quarantine`.
#[derive(Deserialize)]
struct Quarantined {
    quarantine_id: i64,
    source: String,
    reason: String,
    count: i64,
    first_at: Timestamp,
    last_at: Timestamp,
    topic: Option<String>,
    headers: Option<BTreeMap<String, Value>>,
    body: Option<String>,
    bytes: i64,
    requested_action: Option<String>,
    requested_by: Option<String>,
    last_result: Option<String>,
    responded_ok: bool,
    is_excerpt: bool,
    whole_sha256: Option<String>,
}

impl Quarantined {
    fn source_address(&self) -> String {
        Address::source(&self.source).href()
    }

    fn size(&self) -> String {
        number::bytes(u64::try_from(self.bytes).unwrap_or_default())
    }

    fn result(&self) -> Option<String> {
        self.last_result.as_deref().map(advice::last_result)
    }

    /// Sender, verified, stored: broken at the second.
    fn path(&self, advice: &Advice, now: Timestamp) -> EventPath {
        let step = |label: &str, value: &str, note: String, reached| Step {
            label: label.to_owned(),
            value: value.to_owned(),
            note,
            reached,
        };
        let sent = match self.count {
            1 => "once".to_owned(),
            more => format!("{} times", number::grouped(more)),
        };
        let answer = if self.responded_ok { "200" } else { "401" };
        EventPath {
            steps: vec![
                step("sent", &sent, self.last_at.near(now), Reached::Yes),
                step(
                    "verified",
                    advice.words,
                    format!("answered {answer}"),
                    Reached::Broken,
                ),
                step("stored", "no", "it is no event".to_owned(), Reached::No),
            ],
            branches: Vec::new(),
        }
    }
}

impl QuarantinedPage<'_> {
    fn sentence(&self) -> String {
        format!("Not verified: {}.", self.advice.words)
    }

    fn runs<'a>(&self, text: &'a str) -> Vec<Run<'a>> {
        marks::runs(text, Breaks::Mark)
    }

    fn bytes_runs<'a>(&self, bytes: &'a [u8]) -> Vec<Run<'a>> {
        marks::runs_of_bytes(bytes, Breaks::Mark)
    }
}

pub(in super::super) async fn page(
    path: Result<Path<String>, PathRejection>,
    request: PageRequest,
) -> Result<Response, PageError> {
    let id = number_of(path)?;
    let shape = match request.parameter("body").as_deref() {
        None | Some("pretty") => Shape::Pretty,
        Some("raw") => Shape::Raw,
        Some("hex") => Shape::Hex,
        Some(_) => {
            return Err(PageError::Missing(
                "The parameter “body” is pretty, raw or hex.".to_owned(),
            ));
        }
    };
    let mut visit = request.visit(Work::Page).await?;
    let row = find(&mut visit, id).await?;
    let title = format!("Quarantined request {id}");
    let mut frame = Frame::of(&request, &mut visit, "/sources", title).await?;
    if row.requested_action.is_some() {
        frame = frame.refreshed(5);
    }
    let acts = acts(&row, &visit.visitor);
    visit.finish().await?;
    let advice = advice::for_reason(&row.reason);
    let body = row.body.as_deref().map(bytes);
    let headers = row.headers.iter().flatten();
    written(&QuarantinedPage {
        path: row.path(&advice, frame.as_of),
        headers: headers
            .map(|(name, value)| (name.clone(), header_values(value)))
            .collect(),
        shapes: shapes(id, shape),
        body: body
            .as_deref()
            .map(|body| Payload::new(body, shape, "The download has all of it.")),
        advice,
        acts,
        request: row,
        frame,
    })
}

/// The body as a file. A browser shows none of it.
pub(in super::super) async fn download(
    path: Result<Path<String>, PathRejection>,
    request: PageRequest,
) -> Result<Response, PageError> {
    let id = number_of(path)?;
    let mut visit = request.visit(Work::Page).await?;
    let row = find(&mut visit, id).await?;
    visit.finish().await?;
    let Some(body) = row.body else {
        return Err(PageError::Missing(format!(
            "The body of the quarantined request {id} is hidden from readers. An operator can download it."
        )));
    };
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"quarantined-{id}.body\""),
        ),
    ];
    Ok((headers, bytes(&body)).into_response())
}

fn number_of(path: Result<Path<String>, PathRejection>) -> Result<i64, PageError> {
    let id = path.ok().and_then(|Path(id)| id.parse().ok());
    id.ok_or_else(|| {
        PageError::Missing("The address of a quarantined request has its number.".to_owned())
    })
}

async fn find(visit: &mut AsVisitor, id: i64) -> Result<Quarantined, PageError> {
    let query = ViewQuery::of(&views::QUARANTINE).is("quarantine_id", Some(SqlArg::number(id)));
    let found: Option<Quarantined> = visit.rows(query).await?.pop();
    found.ok_or_else(|| {
        PageError::Missing(format!(
            "The quarantine has no request {id}. It became an event, was discarded, or made room for a newer one. Events \
             that came out of the quarantine have the origin “quarantine”."
        ))
    })
}

/// The bytes of a `bytea`, which JSON has as `\x…`.
fn bytes(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix("\\x").unwrap_or(text);
    hex::decode(digits).unwrap_or_default()
}

fn shapes(id: i64, current: Shape) -> Vec<Tab> {
    [
        ("pretty", "Formatted", Shape::Pretty),
        ("raw", "Raw", Shape::Raw),
        ("hex", "Hexadecimal", Shape::Hex),
    ]
    .into_iter()
    .map(|(value, label, shape)| Tab {
        href: Address::quarantined(id)
            .with("body", value)
            .at("body")
            .href(),
        label,
        current: shape == current,
    })
    .collect()
}

/// What an operator may do. The functions that reverify and discard work on a source.
fn acts(row: &Quarantined, visitor: &Visitor) -> Vec<Link> {
    let mut acts = Vec::new();
    if row.requested_action.is_some() {
        return acts;
    }
    let of_source = |function: &str| Address::act(function).with("source", &row.source);
    if visitor.may(&functions::REVERIFY_QUARANTINED) && !row.is_excerpt {
        acts.push(Link {
            label: "Reverify this source",
            href: of_source("reverify_quarantined").href(),
            kind: "primary",
            sentence: "Verifies all quarantined requests of the source with the present secrets. Genuine ones become events.",
        });
    }
    if visitor.may(&functions::APPROVE_QUARANTINED) && !row.is_excerpt {
        acts.push(Link {
            label: "Approve this request",
            href: Address::act("approve_quarantined").with("quarantine_id", row.quarantine_id).href(),
            kind: "",
            sentence: "Accepts this request on your word, without verification. It becomes an event.",
        });
    }
    if visitor.may(&functions::DISCARD_QUARANTINED) {
        acts.push(Link {
            label: "Discard requests like this",
            href: of_source("discard_quarantined").with("reason", &row.reason).href(),
            kind: "danger",
            sentence: "Deletes the quarantined requests of the source with this reason. It cannot be undone.",
        });
    }
    acts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_as_the_database_writes_them() {
        assert_eq!(bytes("\\x00ff41"), [0, 255, 65]);
        assert!(bytes("\\x").is_empty());
    }

    #[test]
    fn the_current_shape_is_marked() {
        let shapes = shapes(7, Shape::Hex);
        assert_eq!(shapes[2].href, "/quarantine/7?body=hex#body");
        assert!(shapes[2].current && !shapes[0].current);
    }
}

//! Reveals the payload of an event once. The page is written after the line of the audit log is
//! committed, and no cache keeps it.

use super::{
    arguments::{Arguments, Pairs, exact, value},
    run::{Failure, Invalid},
    table::Act,
};
use crate::console::{
    address::Address,
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    view::{
        marks::{self, Breaks, Run},
        payload::{Payload, Shape},
        short,
    },
};
use crate::store::catalog::views;
use crate::store::{FunctionCall, SqlArg, ViewQuery, VisitError, Work};
use askama::Template;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The deepest payload in which secret members are looked for.
const DEEPEST: usize = 64;

#[derive(Template)]
#[template(path = "reveal.html")]
struct RevealPage<'a> {
    frame: Frame,
    event_id: String,
    codes: Vec<Code>,
    headers: Vec<Code>,
    payload: Payload<'a>,
}

impl RevealPage<'_> {
    fn short(&self) -> String {
        short::id(&self.event_id)
    }

    fn address(&self) -> String {
        Address::event(&self.event_id).href()
    }
}

/// A value with its name.
#[derive(Debug, PartialEq, Eq)]
struct Code {
    name: String,
    text: String,
}

impl Code {
    fn runs(&self) -> Vec<Run<'_>> {
        marks::runs(&self.text, Breaks::Mark)
    }

    fn names(&self) -> Vec<Run<'_>> {
        marks::runs(&self.name, Breaks::Mark)
    }
}

#[derive(Deserialize)]
struct Masked {
    payload: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Revealed {
    payload: Option<Box<RawValue>>,
    headers: Option<Box<RawValue>>,
    /// As Postgres writes `bytea`.
    body: Option<String>,
}

pub(super) async fn reveal(
    request: &PageRequest,
    act: &'static Act,
    sent: &Pairs,
) -> Result<Response, Failure> {
    let mut visit = match request.visit(Work::Act).await {
        Ok(visit) => visit,
        Err(PageError::Failed(error)) => return Err(Failure::Failed(error)),
        Err(_) => return Err(Failure::Failed(VisitError::NoSession)),
    };
    let arguments = Arguments::read(act, sent, visit.as_of);
    let (Some(why), Some(event_id), true) = (
        value(sent, "why"),
        arguments.get("event_id"),
        arguments.is_complete(),
    ) else {
        let is_missing = value(sent, "why").is_none();
        return Err(Failure::Invalid(Invalid {
            why: if is_missing {
                "A reason is missing."
            } else {
                ""
            }
            .to_owned(),
            other: if arguments.is_complete() {
                ""
            } else {
                "The id of an event is missing or invalid."
            }
            .to_owned(),
            ..Invalid::default()
        }));
    };
    let masked = ViewQuery::of(&views::EVENTS)
        .columns(&["payload"])
        .is("event_id", Some(SqlArg::id(event_id)));
    let masked: Option<Masked> = visit.rows(masked).await?.pop();
    let call = FunctionCall::act(act.function, why).with("event_id", Some(SqlArg::id(event_id)));
    let revealed: Option<Revealed> = visit.call(call).await?.pop();
    let revealed = revealed.ok_or(VisitError::NoSession)?;
    let frame = match Frame::of(request, &mut visit, act.page, "Revealed payload").await {
        Ok(frame) => frame,
        Err(PageError::Failed(error)) => return Err(Failure::Failed(error)),
        Err(_) => return Err(Failure::unknown()),
    };
    let check = ViewQuery::of(&views::AUDIT_LOG)
        .is("action", Some(SqlArg::text(act.action)))
        .is("target", Some(SqlArg::text(event_id)))
        .from("at", Some(SqlArg::time(exact(visit.as_of))))
        .shown();
    visit
        .finish()
        .await
        .map_err(|error| Failure::of_commit(error, check))?;

    let body = revealed.body.as_deref().unwrap_or_default();
    let body = hex::decode(body.strip_prefix("\\x").unwrap_or_default()).unwrap_or_default();
    let mut codes = Vec::new();
    let masked = masked.and_then(|row| row.payload);
    if let (Some(masked), Some(whole)) = (&masked, &revealed.payload) {
        compare(masked, whole, "", 0, &mut codes);
    }
    let page = RevealPage {
        frame,
        event_id: event_id.to_owned(),
        codes,
        headers: members(revealed.headers.as_deref()),
        payload: Payload::new(
            &body,
            Shape::Pretty,
            "hookfast.reveal returns all of it in psql, with a reason.",
        ),
    };
    Ok(match written(&page) {
        Ok(page) => page,
        Err(error) => error.into_response(),
    })
}

/// The members of an object.
fn members(object: Option<&RawValue>) -> Vec<Code> {
    let parsed = object.map(|object| serde_json::from_str(object.get()));
    let members: BTreeMap<String, Box<RawValue>> = parsed.and_then(Result::ok).unwrap_or_default();
    let named = members.into_iter().map(|(name, value)| Code {
        name,
        text: text(&value),
    });
    named.collect()
}

/// The text of a JSON string; any other value as it is written.
fn text(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

/// Collects the values that the view masks, each with its path. Numbers stay as they are written.
fn compare(masked: &RawValue, whole: &RawValue, path: &str, depth: usize, codes: &mut Vec<Code>) {
    if masked.get() == whole.get() || depth > DEEPEST {
        return;
    }
    type Members = BTreeMap<String, Box<RawValue>>;
    if let (Ok(masked), Ok(whole)) = (
        serde_json::from_str::<Members>(masked.get()),
        serde_json::from_str::<Members>(whole.get()),
    ) {
        for (name, value) in &whole {
            if let Some(masked) = masked.get(name) {
                let dot = if path.is_empty() { "" } else { "." };
                compare(
                    masked,
                    value,
                    &format!("{path}{dot}{name}"),
                    depth + 1,
                    codes,
                );
            }
        }
        return;
    }
    if let (Ok(masked), Ok(whole)) = (
        serde_json::from_str::<Vec<Box<RawValue>>>(masked.get()),
        serde_json::from_str::<Vec<Box<RawValue>>>(whole.get()),
    ) {
        for (index, (masked, value)) in masked.iter().zip(&whole).enumerate() {
            compare(masked, value, &format!("{path}[{index}]"), depth + 1, codes);
        }
        return;
    }
    codes.push(Code {
        name: path.to_owned(),
        text: text(whole),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_what_the_view_masks() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).expect("JSON");
        let masked =
            raw(r#"{"data":{"id":1,"sims":[{"iccid":"89","lpa":"***"},{"lpa":"***"}]},"n":"***"}"#);
        let whole = raw(
            r#"{"data":{"id":1,"sims":[{"iccid":"89","lpa":"LPA:1$x"},{"lpa":null}]},"n":1970670598291982290.10}"#,
        );
        let mut codes = Vec::new();
        compare(&masked, &whole, "", 0, &mut codes);
        let shown: Vec<_> = codes
            .iter()
            .map(|code| (code.name.as_str(), code.text.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("data.sims[0].lpa", "LPA:1$x"),
                ("data.sims[1].lpa", "null"),
                ("n", "1970670598291982290.10"),
            ]
        );
        assert_eq!(members(Some(&raw(r#"{"x-a":"b"}"#)))[0].text, "b");
        assert_eq!(members(None), []);
    }
}

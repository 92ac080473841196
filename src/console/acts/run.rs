//! Runs an act for a visitor.

use super::{
    arguments::{Arguments, Pairs, exact, value},
    table::{Act, Answer, Proof},
    track,
};
use crate::console::address::Address;
use crate::store::catalog::views;
use crate::store::{
    AsVisitor, Credential, FunctionCall, SqlArg, ViewQuery, VisitError, Visitors, Work,
};
use serde::Deserialize;

/// A form that was sent.
pub(super) struct Form {
    pub(super) act: &'static Act,
    pub(super) sent: Pairs,
}

/// Why an act was not done, or why that is not known.
pub(super) enum Failure {
    /// What was typed is not enough.
    Invalid(Invalid),
    /// A statement failed, so nothing was changed.
    Failed(VisitError),
    /// The commit was not answered. The statement shows whether it was done.
    Unknown(String),
}

/// What is wrong with a form, by field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) why: String,
    pub(super) typed: String,
    /// What is wrong with the rest.
    pub(super) other: String,
}

impl From<VisitError> for Failure {
    fn from(error: VisitError) -> Self {
        Self::Failed(error)
    }
}

impl Failure {
    /// A commit that the server rejected changed nothing. Without an answer that is not known.
    pub(super) fn of_commit(error: VisitError, check: String) -> Self {
        match error {
            VisitError::Rejected { .. } => Self::Failed(error),
            _ => Self::Unknown(check),
        }
    }

    pub(super) fn unknown() -> Self {
        Self::Unknown(String::new())
    }
}

/// What was changed.
struct Changed {
    count: i64,
    /// The id of what was made.
    id: Option<i64>,
}

/// What a bulk function returns.
#[derive(Deserialize)]
struct BulkRow {
    matching: i64,
    changed: Option<i64>,
    replay_id: Option<i64>,
}

#[derive(Deserialize)]
struct LogRow {
    log_id: i64,
}

impl Form {
    /// Runs the act and commits it. Returns the address of the page of proof.
    pub(super) async fn run(
        self,
        visitors: &Visitors,
        credential: &Credential,
    ) -> Result<String, Failure> {
        let mut visit = visitors.visit(credential, Work::Act).await?;
        let arguments = Arguments::read(self.act, &self.sent, visit.as_of);
        self.check(&arguments).map_err(Failure::Invalid)?;
        let newest: Vec<LogRow> = visit
            .rows(ViewQuery::of(&views::AUDIT_LOG).columns(LOG_ID).limit(1))
            .await?;
        let until = value(&self.sent, "until");
        let tracked = track::before(&mut visit, self.act, &arguments, until).await?;
        let changed = self.call(&mut visit, &arguments, until).await?;
        let tracked = match self.act.answer {
            Answer::Id => track::replayed(&mut visit, &arguments).await?,
            _ => track::changed(&mut visit, self.act, tracked).await?,
        };
        let after = newest.first().map_or(0, |row| row.log_id);
        let line = logged(self.act, &visit)
            .columns(LOG_ID)
            .above("log_id", Some(SqlArg::number(after)))
            .limit(1);
        let line: Vec<LogRow> = visit.rows(line).await?;
        let location = self.location(&arguments, &changed, &line, &tracked);
        let check = logged(self.act, &visit)
            .from("at", Some(SqlArg::time(exact(visit.as_of))))
            .shown();
        match visit.finish().await {
            Ok(()) => Ok(location),
            Err(error) => Err(Failure::of_commit(error, check)),
        }
    }

    fn check(&self, arguments: &Arguments) -> Result<(), Invalid> {
        let mut invalid = Invalid::default();
        if value(&self.sent, "why").is_none() {
            invalid.why = "A reason is missing.".to_owned();
        }
        let at_most = value(&self.sent, "at_most").and_then(|text| text.parse::<i64>().ok());
        if !arguments.is_complete() {
            "A value is missing or invalid.".clone_into(&mut invalid.other);
        } else if self.act.bulk().is_some() && at_most.is_none_or(|at_most| at_most < 0) {
            "The number of the preview is missing.".clone_into(&mut invalid.other);
        }
        let expected = self.act.typed(at_most.unwrap_or_default(), |name| {
            arguments.get(name).map(str::to_owned)
        });
        if let Some(expected) = expected {
            invalid.typed = wrongly_typed(&expected, value(&self.sent, "typed"));
        }
        match invalid == Invalid::default() {
            true => Ok(()),
            false => Err(invalid),
        }
    }

    /// The call, as the page showed it.
    async fn call(
        &self,
        visit: &mut AsVisitor,
        arguments: &Arguments,
        until: Option<&str>,
    ) -> Result<Changed, VisitError> {
        let why = value(&self.sent, "why").unwrap_or_default();
        let at_most = value(&self.sent, "at_most").and_then(|text| text.parse().ok());
        let call = call(self.act, arguments, why, until, at_most);
        Ok(match self.act.answer {
            Answer::Bulk(_) => {
                let row = visit.call::<BulkRow>(call).await?.pop();
                let row = row.ok_or(VisitError::NoSession)?;
                Changed {
                    count: row.changed.unwrap_or(row.matching),
                    id: row.replay_id,
                }
            }
            Answer::Changed => Changed {
                count: visit.call::<i64>(call).await?.pop().unwrap_or_default(),
                id: None,
            },
            Answer::Id => Changed {
                count: 1,
                id: visit.call::<i64>(call).await?.pop(),
            },
            Answer::Nothing | Answer::Revealed => {
                visit.act(call).await?;
                Changed { count: 1, id: None }
            }
        })
    }

    fn location(
        &self,
        arguments: &Arguments,
        changed: &Changed,
        line: &[LogRow],
        tracked: &[track::Tracked],
    ) -> String {
        let page = Address::to("/done").part(self.act.function.name);
        let mut page = arguments.address(page, None).with("changed", changed.count);
        if let Some(line) = line.first() {
            page = page.with("log", line.log_id);
        }
        if let (Some(id), Proof::Row(_)) = (changed.id, self.act.proof) {
            page = page.with("id", id);
        }
        page.with("deliveries", track::written(tracked)).href()
    }
}

const LOG_ID: &[&str] = &["log_id"];

/// The lines that the act wrote for this person.
fn logged(act: &Act, visit: &AsVisitor) -> ViewQuery {
    ViewQuery::of(&views::AUDIT_LOG)
        .is("action", Some(SqlArg::text(act.action)))
        .is("on_behalf_of", Some(SqlArg::text(&visit.visitor.person)))
}

/// The call of an act.
pub(super) fn call(
    act: &Act,
    arguments: &Arguments,
    why: &str,
    until: Option<&str>,
    at_most: Option<i64>,
) -> FunctionCall {
    let call = FunctionCall::act(act.function, why);
    let call = arguments.add_to(call, until);
    match act.bulk() {
        Some(_) => call.with("at_most", at_most.map(SqlArg::number)),
        None => call,
    }
}

/// What is wrong with what was typed to confirm. Numbers may be grouped.
fn wrongly_typed(expected: &str, typed: Option<&str>) -> String {
    let plain = |text: &str| match expected.parse::<i64>() {
        Ok(_) => text.replace([',', ' ', '\u{a0}'], ""),
        Err(_) => text.to_owned(),
    };
    match typed {
        None => format!("Type {expected} to confirm."),
        Some(typed) if plain(typed) == expected => String::new(),
        Some(typed) => format!("“{typed}” was typed, and not {expected}."),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{arguments::pairs, table};
    use super::*;

    fn check(function: &str, form: &str) -> Result<(), Invalid> {
        let act = table::of(function).expect("an act");
        let sent = pairs(form.as_bytes());
        let arguments = Arguments::read(act, &sent, 0);
        Form { act, sent }.check(&arguments)
    }

    #[test]
    fn a_form_needs_a_reason_a_number_and_the_confirmation() {
        let missing = check("retry", "delivery_id=7&why=+").expect_err("no reason");
        assert!(missing.why.contains("missing") && missing.typed.is_empty());
        assert_eq!(check("retry", "delivery_id=7&why=x"), Ok(()));
        let missing = check("retry", "why=x").expect_err("no delivery");
        assert!(!missing.other.is_empty());
        assert_eq!(check("retry_all", "why=x&at_most=100"), Ok(()));
        for form in ["why=x", "why=x&at_most=-1", "why=x&at_most=many"] {
            let invalid = check("retry_all", form).expect_err(form);
            assert!(!invalid.other.is_empty(), "{form}");
        }
        for (form, is_valid) in [
            ("why=x&at_most=1200", false),
            ("why=x&at_most=1200&typed=120", false),
            ("why=x&at_most=1200&typed=1200", true),
            ("why=x&at_most=1200&typed=1,200", true),
        ] {
            assert_eq!(check("retry_all", form).is_ok(), is_valid, "{form}");
        }
        assert!(check("discard_all", "why=x&at_most=1").is_err());
        assert!(check("discard", "why=x&delivery_id=7&typed=8").is_err());
        assert_eq!(check("discard", "why=x&delivery_id=7&typed=7"), Ok(()));
        let retire = "why=x&handler=shop&at_most=0&typed=";
        assert!(check("retire_handler", retire).is_err());
        assert_eq!(check("retire_handler", &format!("{retire}shop")), Ok(()));
        assert_eq!(check("pause_all_handlers", "why=x&typed=pause+all"), Ok(()));
    }
}

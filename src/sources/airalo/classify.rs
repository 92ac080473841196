//! Classifies a body. Airalo names the kind of notification nowhere, so the fields that are there
//! decide.

use super::payload::{self, Fields};
use crate::domain::EventType;

/// The kind of a body, with the values that identify its event.
pub(super) enum Kind {
    /// An asynchronous order that was completed, with its SIMs.
    Completed {
        order: OrderRef,
        iccids: Vec<String>,
    },
    /// An order that failed.
    Failed { order: OrderRef },
    /// A SIM with little data or time left.
    LowData {
        iccid: String,
        package: String,
        level: Word,
    },
    /// The partner has little credit left.
    CreditLimit { threshold: Word, remaining: String },
    /// A body that is not understood.
    Unknown,
}

/// The known identifiers of an order.
pub(super) struct OrderRef {
    pub(super) request_id: Option<String>,
    pub(super) id: Option<String>,
}

/// One of a few known words, or the text in its place.
pub(super) enum Word {
    Known(&'static str),
    Other(String),
}

impl Kind {
    pub(super) fn event_type(&self) -> EventType {
        let name = match self {
            Self::Completed { .. } => "airalo.order.completed".to_owned(),
            Self::Failed { .. } => "airalo.order.failed".to_owned(),
            Self::LowData { level, .. } => format!("airalo.low_data.{}", level.segment()),
            Self::CreditLimit { threshold, .. } => {
                format!("airalo.credit_limit.{}", threshold.segment())
            }
            Self::Unknown => "airalo.unknown".to_owned(),
        };
        name.parse()
            .expect("every segment is a literal of this file, in lower case")
    }
}

impl Word {
    fn segment(&self) -> &'static str {
        match self {
            Self::Known(word) => word,
            Self::Other(_) => "other",
        }
    }
}

/// Classifies any bytes. The order of the checks matters if a body has the fields of two kinds.
pub(super) fn classify(body: &[u8]) -> Kind {
    let known = payload::root(body).and_then(|root| {
        low_data(&root)
            .or_else(|| order(&root))
            .or_else(|| credit(&root))
    });
    known.unwrap_or(Kind::Unknown)
}

fn low_data(root: &Fields<'_>) -> Option<Kind> {
    let level = low_data_level(payload::scalar(root.level)?);
    let iccid = payload::scalar(root.iccid)?;
    Some(Kind::LowData {
        iccid,
        package: payload::scalar(root.package_name).unwrap_or_default(),
        level,
    })
}

/// An order is in `data`, or its members are at the root. SIMs decide before a reason does. Without
/// both it is not a result, because the response to the order itself has a `request_id` too.
fn order(root: &Fields<'_>) -> Option<Kind> {
    let data = payload::object(root.data);
    let request_id = payload::text(root.request_id).or_else(|| payload::text(data.request_id));
    // If the order is in `data`, an id at the root would belong to something else.
    let id_in_data = payload::scalar(data.id);
    let id_at_root = payload::scalar(root.id).or_else(|| id_in_data.clone());
    let places = [(&data, id_in_data), (root, id_at_root)];

    for (fields, id) in &places {
        let sims = payload::array(fields.sims);
        if !sims.is_empty() {
            let iccids = sims
                .into_iter()
                .map(|sim| payload::scalar(payload::object(Some(sim)).iccid));
            let iccids = iccids.map(Option::unwrap_or_default).collect();
            return Some(Kind::Completed {
                order: OrderRef {
                    request_id,
                    id: id.clone(),
                },
                iccids,
            });
        }
    }
    let (_, id) = places
        .into_iter()
        .find(|(fields, _)| payload::text(fields.reason).is_some())?;
    Some(Kind::Failed {
        order: OrderRef { request_id, id },
    })
}

fn credit(root: &Fields<'_>) -> Option<Kind> {
    let threshold = credit_threshold(payload::text(root.message)?);
    Some(Kind::CreditLimit {
        threshold,
        remaining: payload::numeric(root.remaining)?,
    })
}

fn low_data_level(written: String) -> Word {
    match written.trim().trim_end_matches('%').trim_end() {
        "75" => Word::Known("75"),
        "90" => Word::Known("90"),
        "3days" => Word::Known("3days"),
        "1days" | "1day" => Word::Known("1days"),
        _ => Word::Other(written),
    }
}

/// The threshold is only in the text: "Surpassed 80% of the credit limit balance".
fn credit_threshold(message: String) -> Word {
    let before = message
        .split_once('%')
        .map_or("", |(before, _)| before.trim_end());
    let number = before
        .rsplit(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','))
        .next();
    match number {
        Some("50") => Word::Known("50"),
        Some("70") => Word::Known("70"),
        Some("80") => Word::Known("80"),
        Some("90") => Word::Known("90"),
        _ => Word::Other(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_however_they_are_written() {
        for (written, expected) in [
            ("75%", "75"),
            ("75", "75"),
            (" 90 % ", "90"),
            ("3days", "3days"),
            ("1days", "1days"),
            ("1day", "1days"),
            ("50%", "other"),
            ("175%", "other"),
            ("%", "other"),
            ("13days", "other"),
        ] {
            assert_eq!(
                low_data_level(written.to_owned()).segment(),
                expected,
                "{written}"
            );
        }
    }

    #[test]
    fn a_threshold_is_the_first_percentage_of_the_text() {
        for (message, expected) in [
            ("Surpassed 50% of the credit limit balance", "50"),
            ("Surpassed 70 % of the credit limit balance", "70"),
            ("80%", "80"),
            ("90% used, 10% left", "90"),
            ("Surpassed 20% of the credit limit balance", "other"),
            ("Surpassed 180% of the credit limit balance", "other"),
            ("Surpassed 1.80% of the credit limit balance", "other"),
            ("Surpassed 80 of the credit limit balance", "other"),
            ("é%", "other"),
            ("%", "other"),
        ] {
            assert_eq!(
                credit_threshold(message.to_owned()).segment(),
                expected,
                "{message}"
            );
        }
    }
}

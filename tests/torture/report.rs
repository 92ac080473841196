//! The table of counts, and everything about a failed run.

use crate::{
    evidence::{BOOKING, Evidence, HANDLERS},
    exchange::Answer,
    oracle::{Failure, Failures},
    plan::Planned,
};
use std::{collections::BTreeMap, fmt::Write as _, path::Path};

/// How many orders or events of each kind of failure are printed; the files have all.
const PRINTED: usize = 20;

/// The longest name of an outcome in the table.
const WIDTH: usize = 60;

/// Prints how often everything happened.
pub(crate) fn print_counts(evidence: &Evidence, plan: &[Planned], failures: &Failures) {
    let mut lines: Vec<(String, usize)> = vec![("requests sent".to_owned(), evidence.sent.len())];
    let answers = evidence.sent.iter().map(|sent| match &sent.answer {
        Answer::Acknowledged { status, .. } => format!("  answered 200 {status}"),
        Answer::Refused(status) => format!("  answered {status}"),
        Answer::Broken => "  not answered: connection refused, broken or too slow".to_owned(),
        Answer::NotAwaited => "  answer not awaited, not sent again".to_owned(),
    });
    lines.extend(counted(answers));
    let kinds = plan
        .iter()
        .filter_map(|planned| planned.fault.kind())
        .map(|kind| format!("  {kind}"));
    let kinds = counted(kinds);
    lines.push(("faults".to_owned(), kinds.values().sum()));
    lines.extend(kinds);
    lines.push(("events stored".to_owned(), evidence.events.len()));
    for handler in HANDLERS {
        let deliveries = evidence
            .delivered
            .keys()
            .filter(|(name, _)| name == handler)
            .count();
        lines.push((format!("deliveries to the handler {handler}"), deliveries));
    }
    for (outcome, count) in &evidence.outcomes {
        lines.push((
            format!(
                "  attempts: {}",
                outcome.chars().take(WIDTH).collect::<String>()
            ),
            usize::try_from(*count).unwrap_or_default(),
        ));
    }
    lines.push((
        "requests at the receiver".to_owned(),
        evidence.received.values().sum(),
    ));
    let repeated = evidence
        .received
        .values()
        .filter(|times| **times > 1)
        .count();
    lines.push(("  events received more than once".to_owned(), repeated));
    for handler in BOOKING {
        let events = evidence
            .ledger
            .keys()
            .filter(|(name, _)| name == handler)
            .count();
        lines.push((format!("events in the ledger by {handler}"), events));
    }
    lines.push((
        "failures".to_owned(),
        failures.values().map(|keys| keys.len()).sum(),
    ));
    for (failure, name) in Failure::ALL {
        lines.push((
            format!("  {name}"),
            failures.get(&failure).map_or(0, |keys| keys.len()),
        ));
    }
    println!();
    for (name, count) in lines {
        println!("{name:<74}{count:>8}");
    }
}

fn counted(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// Prints the keys of each kind of failure.
pub(crate) fn print_failures(failures: &Failures) {
    for (failure, name) in Failure::ALL {
        let Some(keys) = failures.get(&failure) else {
            continue;
        };
        println!("\n{name}:");
        keys.iter()
            .take(PRINTED)
            .for_each(|key| println!("  {key}"));
        if keys.len() > PRINTED {
            println!("  and {} more", keys.len() - PRINTED);
        }
    }
}

/// Writes the sender's log and all failures into a folder.
pub(crate) fn write_evidence(
    folder: &Path,
    evidence: &Evidence,
    failures: &Failures,
) -> std::io::Result<()> {
    let mut text = String::new();
    for sent in &evidence.sent {
        let (at, took) = (sent.at.as_secs_f64(), sent.took.as_secs_f64());
        let _ = writeln!(
            text,
            "{at:9.3} s +{took:.3} s  order {} to {}: {:?}",
            sent.order, sent.to, sent.answer
        );
    }
    std::fs::write(folder.join("sender.log"), text)?;
    std::fs::write(folder.join("failures.txt"), format!("{failures:#?}\n"))
}

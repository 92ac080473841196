//! The sections of docs/RUNBOOK.md, with the names of one alert in place of the examples.

use super::sql_literal;
use std::mem;

const RUNBOOK: &str = include_str!("../../../docs/RUNBOOK.md");

/// What an alert names. The runbook's examples have `shop`, `airalo` and so on in these places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) handler: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) event_id: Option<String>,
    pub(crate) delivery_id: Option<i64>,
    /// Of an order.
    pub(crate) description: Option<String>,
}

/// One of the four parts of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) title: &'static str,
    pub(crate) blocks: Vec<Block>,
}

/// A paragraph, a list or code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Text(Vec<Span>),
    Steps(Vec<Vec<Span>>),
    Code(String),
}

/// A part of a paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) is_code: bool,
    pub(crate) text: String,
}

const TITLES: [&str; 4] = [
    "What it means",
    "How to look",
    "What to do",
    "What not to do",
];

/// The parts of the section about a type of alerts. Empty if there is none.
pub(crate) fn section(alert_type: &str, names: &Names) -> Vec<Part> {
    let heading = format!("\n## {alert_type}\n");
    let Some((_, rest)) = RUNBOOK.split_once(&heading) else {
        return Vec::new();
    };
    let section = rest.split("\n## ").next().unwrap_or_default();
    let starts: Vec<_> = TITLES
        .into_iter()
        .filter_map(|title| {
            let lead = format!("**{title}.**");
            Some((title, section.find(&lead)?, lead.len()))
        })
        .collect();
    starts
        .iter()
        .enumerate()
        .map(|(n, (title, start, length))| {
            let end = starts.get(n + 1).map_or(section.len(), |next| next.1);
            Part {
                title,
                blocks: blocks(section.get(start + length..end).unwrap_or_default(), names),
            }
        })
        .collect()
}

fn blocks(text: &str, names: &Names) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let code: Vec<_> = lines
                .by_ref()
                .take_while(|line| !line.starts_with("```"))
                .collect();
            blocks.push(Block::Code(filled(&code.join("\n"), names)));
        } else if step(line).is_some() {
            let mut steps = Vec::new();
            let mut current = step(line).unwrap_or_default().to_owned();
            while let Some(next) = lines.next_if(|next| !next.is_empty()) {
                match step(next) {
                    Some(text) => steps.push(mem::replace(&mut current, text.to_owned())),
                    None => current = current + " " + next.trim(),
                }
            }
            steps.push(current);
            blocks.push(Block::Steps(
                steps.iter().map(|step| spans(step, names)).collect(),
            ));
        } else if !line.trim().is_empty() {
            let mut text = line.trim().to_owned();
            while let Some(next) =
                lines.next_if(|next| !next.is_empty() && !next.starts_with("```"))
            {
                text.push(' ');
                text.push_str(next.trim());
            }
            blocks.push(Block::Text(spans(&text, names)));
        }
    }
    blocks
}

/// The text of a line of a list.
fn step(line: &str) -> Option<&str> {
    let (mark, text) = line.split_once(' ')?;
    let number = mark.strip_suffix('.').unwrap_or_default();
    let is_step =
        mark == "-" || !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_step.then(|| text.trim_start())
}

/// Every second part between backticks is code.
fn spans(text: &str, names: &Names) -> Vec<Span> {
    text.split('`')
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(n, part)| match n % 2 {
            1 => Span {
                is_code: true,
                text: filled(part, names),
            },
            _ => Span {
                is_code: false,
                text: part.replace("**", ""),
            },
        })
        .collect()
}

/// Puts the names of the alert in place of those of the examples.
fn filled(code: &str, names: &Names) -> String {
    let mut code = code.to_owned();
    let literal = |name: &Option<String>| sql_literal::text(name.as_deref()?);
    if let Some(handler) = literal(&names.handler) {
        code = code
            .replace("'shop'", &handler)
            .replace("'books'", &handler);
    }
    if let Some(source) = literal(&names.source) {
        // The kind has the same name as the source of the examples.
        code = code
            .replace("kind = 'airalo'", "kind = \0")
            .replace("'airalo'", &source)
            .replace("kind = \0", "kind = 'airalo'");
    }
    if let Some(description) = literal(&names.description) {
        code = code.replace("'order 4711'", &description);
    }
    let word = |name: &Option<String>| name.clone().filter(|name| is_word(name));
    if let Some(handler) = word(&names.handler) {
        code = code.replace("retire books ", &format!("retire {handler} "));
    }
    if let Some(source) = word(&names.source) {
        code = code.replace("/webhooks/airalo", &format!("/webhooks/{source}"));
    }
    if let Some(event) = word(&names.event_id) {
        code = code.replace("EVENT_ID", &event);
    }
    if let Some(delivery) = names.delivery_id {
        code = code.replace("DELIVERY_ID", &delivery.to_string());
    }
    code
}

/// Whether a name needs no quotes anywhere.
fn is_word(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !name.is_empty() && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> impl Iterator<Item = &'static str> {
        RUNBOOK
            .split("\n## ")
            .skip(1)
            .filter_map(|section| section.lines().next())
    }

    fn texts(parts: &[Part]) -> String {
        let spans = |spans: &Vec<Span>| -> String {
            spans
                .iter()
                .map(|span| span.text.clone())
                .collect::<String>()
                + "\n"
        };
        let block = |block: &Block| match block {
            Block::Text(text) => spans(text),
            Block::Steps(steps) => steps.iter().map(spans).collect(),
            Block::Code(code) => code.clone() + "\n",
        };
        parts
            .iter()
            .flat_map(|part| part.blocks.iter())
            .map(block)
            .collect()
    }

    #[test]
    fn each_section_has_four_parts_without_markup() {
        assert!(types().count() > 10);
        for alert_type in types() {
            let parts = section(alert_type, &Names::default());
            let titles: Vec<_> = parts.iter().map(|part| part.title).collect();
            assert_eq!(titles, TITLES, "{alert_type}");
            assert!(
                parts.iter().all(|part| !part.blocks.is_empty()),
                "{alert_type}"
            );
            let text = texts(&parts);
            for markup in ["```", "**", "](", "\0"] {
                assert!(!text.contains(markup), "{alert_type}: {markup}");
            }
        }
        assert!(section("hookfast.unknown", &Names::default()).is_empty());
    }

    #[test]
    fn names_of_the_alert_take_the_places_of_the_examples() {
        let names = Names {
            handler: Some("o'neill".to_owned()),
            source: Some("esim".to_owned()),
            event_id: Some("01a2216f-ac13-755d-9aa7-441aa8cdc63e".to_owned()),
            delivery_id: Some(17),
            description: Some("order 9".to_owned()),
        };
        for alert_type in types() {
            let text = texts(&section(alert_type, &names));
            for example in ["'shop'", "'books'", "EVENT_ID", "(DELIVERY_ID"] {
                assert!(!text.contains(example), "{alert_type}: {example}");
            }
        }
        let dead = texts(&section("hookfast.delivery.dead", &names));
        assert!(dead.contains("hookfast.retry(17, why => 'the shop is repaired')"));
        assert!(dead.contains("handler => 'o''neill'"));
        let silent = texts(&section("hookfast.source.silent", &names));
        assert!(silent.contains("https://YOUR_HOST/webhooks/esim"));
        let overdue = texts(&section("airalo.order.overdue", &names));
        assert!(overdue.contains("WHERE kind = 'airalo'"));
        assert!(overdue.contains("airalo_forget_order('order 9'"));
        let strange = Names {
            event_id: Some("x'; DROP".to_owned()),
            ..Names::default()
        };
        assert!(texts(&section("hookfast.conflict", &strange)).contains("'EVENT_ID'"));
    }

    #[test]
    fn lists_and_code_are_blocks() {
        let parsed = blocks(
            " One `two`.\nThree:\n\n1. a `b`\n   c\n2. d\n\n```sql\nSELECT 1;\n\nSELECT 2;\n```\nEnd",
            &Names::default(),
        );
        let span = |is_code, text: &str| Span {
            is_code,
            text: text.to_owned(),
        };
        assert_eq!(
            parsed,
            [
                Block::Text(vec![
                    span(false, "One "),
                    span(true, "two"),
                    span(false, ". Three:")
                ]),
                Block::Steps(vec![
                    vec![span(false, "a "), span(true, "b"), span(false, " c")],
                    vec![span(false, "d")]
                ]),
                Block::Code("SELECT 1;\n\nSELECT 2;".to_owned()),
                Block::Text(vec![span(false, "End")]),
            ]
        );
    }
}

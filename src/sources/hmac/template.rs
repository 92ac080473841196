//! The template of the bytes that a sender signs, such as `{timestamp}.{body}`.

use std::str::FromStr;

/// The signed bytes: literal text with `{body}`, and optionally `{timestamp}` and `{id}`, each at
/// most once.
///
/// A template is valid only if one signature cannot be valid for two requests. So the end of each
/// part must be recognisable: literal text separates `{id}` from other parts, and no digit may
/// follow a timestamp, or precede one that comes after the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Body,
    Timestamp,
    Id,
}

/// The text is not a valid template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{template}' is an invalid template of the signed text: {problem}")]
pub struct InvalidTemplate {
    template: String,
    problem: &'static str,
}

impl FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(template: &str) -> Result<Self, InvalidTemplate> {
        let pieces = pieces(template).and_then(|pieces| check(&pieces).map(|()| pieces));
        pieces.map(Self).map_err(|problem| InvalidTemplate {
            template: template.to_owned(),
            problem,
        })
    }
}

fn pieces(template: &str) -> Result<Vec<Piece>, &'static str> {
    let (mut pieces, mut rest) = (Vec::new(), template);
    while !rest.is_empty() {
        let (literal, after) = rest.split_once('{').unwrap_or((rest, ""));
        if literal.contains('}') {
            return Err("a '}' has no matching '{'");
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.to_owned()));
        }
        if literal.len() == rest.len() {
            break;
        }
        let (name, after) = after.split_once('}').ok_or("a '{' is not closed")?;
        pieces.push(match name {
            "body" => Piece::Body,
            "timestamp" => Piece::Timestamp,
            "id" => Piece::Id,
            _ => return Err("only body, timestamp and id are allowed in braces"),
        });
        rest = after;
    }
    Ok(pieces)
}

fn check(pieces: &[Piece]) -> Result<(), &'static str> {
    let position = |wanted: &Piece| pieces.iter().position(|piece| piece == wanted);
    let body =
        position(&Piece::Body).ok_or("{body} is missing, so anybody could change the body")?;
    for wanted in [Piece::Body, Piece::Timestamp, Piece::Id] {
        if pieces.iter().filter(|piece| **piece == wanted).count() > 1 {
            return Err("{body}, {timestamp} and {id} may each occur only once");
        }
    }
    let literal = |piece: Option<&Piece>| match piece {
        Some(Piece::Literal(text)) => Some(text.as_str())
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        _ => None,
    };
    let neighbours = |at: usize| {
        (
            at.checked_sub(1).and_then(|before| pieces.get(before)),
            pieces.get(at + 1),
        )
    };
    if let Some(id) = position(&Piece::Id) {
        let (before, after) = neighbours(id);
        if [before, after]
            .into_iter()
            .flatten()
            .any(|piece| literal(Some(piece)).is_none())
        {
            return Err(
                "{id} needs a text between it and its neighbour; otherwise the end of one part is unknown",
            );
        }
    }
    if let Some(timestamp) = position(&Piece::Timestamp) {
        let (before, after) = neighbours(timestamp);
        let ends_in_digit =
            literal(before).is_some_and(|text| text.ends_with(|c: char| c.is_ascii_digit()));
        let begins_with_digit =
            literal(after).is_some_and(|text| text.starts_with(|c: char| c.is_ascii_digit()));
        if begins_with_digit || (body < timestamp && ends_in_digit) {
            return Err("a digit beside {timestamp} could be read as a part of it");
        }
    }
    Ok(())
}

impl Template {
    /// Whether the time is signed.
    pub fn signs_timestamp(&self) -> bool {
        self.0.contains(&Piece::Timestamp)
    }

    /// Whether an id is signed.
    pub fn signs_id(&self) -> bool {
        self.0.contains(&Piece::Id)
    }

    /// The signed bytes in parts.
    pub(super) fn parts<'a>(
        &'a self,
        body: &'a [u8],
        timestamp: &'a [u8],
        id: &'a [u8],
    ) -> Vec<&'a [u8]> {
        let part = |piece: &'a Piece| match piece {
            Piece::Literal(text) => text.as_bytes(),
            Piece::Body => body,
            Piece::Timestamp => timestamp,
            Piece::Id => id,
        };
        self.0.iter().map(part).collect()
    }

    /// Whether the end of the id is recognisable. The id must not contain the character after it
    /// and, if the id comes after the body, not the one before it.
    pub(super) fn separates(&self, id: &str) -> bool {
        let Some(at) = self.0.iter().position(|piece| *piece == Piece::Id) else {
            return true;
        };
        let (before, after) = self.0.split_at(at);
        let behind_body = before.contains(&Piece::Body);
        let last = before
            .last()
            .and_then(|piece| piece.literal()?.chars().next_back())
            .filter(|_| behind_body);
        let first = after
            .get(1)
            .and_then(|piece| piece.literal()?.chars().next());
        ![first, last]
            .into_iter()
            .flatten()
            .any(|separator| id.contains(separator))
    }
}

impl Piece {
    fn literal(&self) -> Option<&str> {
        if let Self::Literal(text) = self {
            Some(text)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn template(text: &str) -> Template {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn signed(text: &str, body: &str, timestamp: &str, id: &str) -> String {
        let template = template(text);
        let parts = template.parts(body.as_bytes(), timestamp.as_bytes(), id.as_bytes());
        String::from_utf8(parts.concat()).expect("text")
    }

    #[test]
    fn a_template_defines_the_signed_message() {
        for (text, expected) in [
            ("{body}", "B"),
            ("{timestamp}.{body}", "5.B"),
            ("v0:{timestamp}:{body}", "v0:5:B"),
            ("{id}.{timestamp}.{body}", "I.5.B"),
            ("{timestamp}{body}", "5B"),
            ("é{body}|{id}", "éB|I"),
            ("v0{timestamp}:{body}!", "v05:B!"),
        ] {
            assert_eq!(signed(text, "B", "5", "I"), expected, "{text}");
        }
    }

    #[test]
    fn an_invalid_or_ambiguous_template_is_rejected() {
        for wrong in [
            "",
            "body",
            "{timestamp}",
            "{body}{body}",
            "{timestamp}.{timestamp}.{body}",
            "{url}{body}",
            "{Body}",
            "{}{body}",
            "{body",
            "body}",
            "{{body}}",
            "{body}}",
            "{id}{body}",
            "{id}{timestamp}.{body}",
            "{timestamp}{id}.{body}",
            "{body}{id}",
            "{timestamp}0{body}",
            "{body}0{timestamp}",
        ] {
            assert!(wrong.parse::<Template>().is_err(), "{wrong}");
        }
        assert!(!template("{id}.{body}").separates("a.b"));
        assert!(template("v0:{id}.{body}").separates("v0:"));
        assert!(!template("{body}:{id}").separates("a:b"));
        assert!(template("{body}:{id}").separates("a.b"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String, like in "(\\{|\\}|body|id|timestamp|[.:0]){0,9}") {
            for text in [text, like] {
                let _ = text.parse::<Template>();
            }
        }

        /// Two requests with the same signed bytes are one request.
        #[test]
        fn equal_signed_bytes_have_equal_parts(
            text in prop::sample::select(vec![
                "{id}.{timestamp}.{body}", "v1:{timestamp}:{id}:{body}", "{id}.{body}.{timestamp}", "{body}.{id}", "{timestamp}.{body}",
            ]),
            [a, b] in prop::array::uniform2(("[a.:]{1,3}", "[1-9][0-9]?", "[a.:1]{0,4}")),
        ) {
            let of = |(id, timestamp, body): &(String, String, String)| {
                let template = template(text);
                let (id, timestamp) = (
                    template.signs_id().then(|| id.clone()),
                    template.signs_timestamp().then(|| timestamp.clone()),
                );
                prop_assume!(id.as_deref().is_none_or(|id| template.separates(id)));
                let bytes = signed(text, body, timestamp.as_deref().unwrap_or_default(), id.as_deref().unwrap_or_default());
                Ok((bytes, (id, timestamp, body.clone())))
            };
            let ((bytes_a, a), (bytes_b, b)) = (of(&a)?, of(&b)?);
            prop_assert_eq!(bytes_a == bytes_b, a == b, "{}", text);
        }
    }
}

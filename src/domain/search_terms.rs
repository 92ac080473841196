//! Search terms: the values by which an event is found, taken from some members of its payload at
//! any depth.
//!
//! A body is read once, token by token. A string followed by a colon is a member's name, whatever
//! surrounds it. There is no tree and no recursion, so the cost depends only on the body's length
//! and not on its depth or number of members. Bodies that Postgres cannot store as `jsonb` are
//! indexed too.

use std::collections::HashSet;

/// The maximum number of values indexed per body.
const MOST: usize = 100;

/// The maximum number of characters indexed per value.
const LONGEST: usize = 200;

/// The search terms of one event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SearchTerms {
    /// The distinct values.
    pub terms: HashSet<String>,
    /// Whether further values were left out.
    pub cut: bool,
}

impl SearchTerms {
    /// Reads the values of these members from a body. The names in `fields` are in lower case.
    pub fn of(body: &[u8], fields: &[String]) -> Self {
        let mut found = Self::default();
        let mut at = 0;
        while let Some(start) = find(body, at, b'"') {
            let Some(end) = string_end(body, start) else {
                break;
            };
            at = end;
            let colon = skip_space(body, end);
            if body.get(colon) != Some(&b':') || !is_field(&body[start..end], fields) {
                continue;
            }
            let value = skip_space(body, colon + 1);
            let (term, end) = match body.get(value) {
                Some(b'"') => match string_end(body, value) {
                    Some(end) => (text(&body[value..end]), end),
                    None => break,
                },
                Some(b'-' | b'0'..=b'9') => {
                    let end = number_end(body, value);
                    (String::from_utf8_lossy(&body[value..end]).into_owned(), end)
                }
                _ => continue,
            };
            at = end;
            if !found.add(term) {
                break;
            }
        }
        found
    }

    /// Adds a term. Returns whether there is room for more.
    fn add(&mut self, term: String) -> bool {
        let term = match term.char_indices().nth(LONGEST) {
            Some((cut, _)) => term[..cut].to_owned(),
            None => term,
        };
        if term.is_empty() || self.terms.contains(&term) {
            return true;
        }
        self.cut = self.terms.len() == MOST;
        if !self.cut {
            self.terms.insert(term);
        }
        !self.cut
    }
}

fn find(body: &[u8], from: usize, byte: u8) -> Option<usize> {
    body.get(from..)?
        .iter()
        .position(|b| *b == byte)
        .map(|found| from + found)
}

/// The position after the closing quote of the string that begins at `start`.
fn string_end(body: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match body.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn number_end(body: &[u8], start: usize) -> usize {
    let belongs = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
    start + body[start..].iter().take_while(|b| belongs(b)).count()
}

fn skip_space(body: &[u8], from: usize) -> usize {
    let rest = body.get(from..).unwrap_or_default();
    from + rest
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
        .count()
}

/// Whether the name is one of the fields. A name without escapes is compared without a copy.
fn is_field(quoted: &[u8], fields: &[String]) -> bool {
    let name = &quoted[1..quoted.len() - 1];
    if name.is_ascii() && !name.contains(&b'\\') {
        return fields
            .iter()
            .any(|field| field.as_bytes().eq_ignore_ascii_case(name));
    }
    let name = text(quoted).to_lowercase();
    fields.contains(&name)
}

/// The content of a JSON string. If it is invalid or Postgres cannot store it, it is taken as
/// written.
fn text(quoted: &[u8]) -> String {
    let unescaped = serde_json::from_slice::<String>(quoted)
        .ok()
        .filter(|text| !text.contains('\0'));
    unescaped
        .unwrap_or_else(|| String::from_utf8_lossy(&quoted[1..quoted.len() - 1]).replace('\0', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(body: &str) -> Vec<String> {
        let fields = ["id".to_owned(), "order no".to_owned(), "größe".to_owned()];
        let mut terms: Vec<_> = SearchTerms::of(body.as_bytes(), &fields)
            .terms
            .into_iter()
            .collect();
        terms.sort();
        terms
    }

    #[test]
    fn the_values_of_named_members_are_found_at_any_depth_as_they_are_written() {
        for (body, expected) in [
            (
                r#"{"id":"a","x":[{"ID" : 2.50},{"y":{"Order No":-1e3}}]}"#,
                &["-1e3", "2.50", "a"][..],
            ),
            (
                r#"{"\u0069d":"\u0061\/\"b","GRÖSSE":1,"Größe":"ü"}"#,
                &["a/\"b", "ü"],
            ),
            (
                r#"{"id":"","id":null,"id":true,"id":{"id":["3"]},"id":[4]}"#,
                &[],
            ),
            (
                r#"{"note":"say \"id\": 5","ids":6,"i":"id","x":["id",7]}"#,
                &[],
            ),
            (
                r#"{"id":"c\u0000","id":"\ud800"}"#,
                &["\\ud800", "c\\u0000"],
            ),
            (r#"{"id":1e999999,"id":"x"#, &["1e999999"]),
            (r#""id" "id":8"#, &["8"]),
        ] {
            assert_eq!(of(body), expected, "{body}");
        }
        assert_eq!(
            of(&format!(r#"{{"id":"{}"}}"#, "é".repeat(300))),
            ["é".repeat(200)]
        );
    }

    #[test]
    fn bytes_that_are_not_text_hide_no_other_term() {
        let body = b"\xff{\"x\":\"\0\xfe\",\"id\":\"a\xffb\0\",\"id\":9}";
        let found = SearchTerms::of(body, &["id".to_owned()]);
        assert_eq!(
            found.terms,
            HashSet::from(["a\u{fffd}b".to_owned(), "9".to_owned()])
        );
    }

    #[test]
    fn at_most_a_hundred_values_are_kept_and_the_rest_is_reported() {
        let body = |n: usize| {
            (0..n)
                .map(|i| format!(r#"{{"id":{i},"id":"0"}},"#))
                .collect::<String>()
        };
        for (values, terms, cut) in [
            (99, 99, false),
            (100, 100, false),
            (101, 100, true),
            (20_000, 100, true),
        ] {
            let found = SearchTerms::of(body(values).as_bytes(), &["id".to_owned()]);
            assert_eq!((found.terms.len(), found.cut), (terms, cut), "{values}");
        }
    }

    /// The values that a search in the parsed tree of the body finds.
    fn in_tree(value: &serde_json::Value, found: &mut HashSet<String>) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    if name.to_lowercase() == "a" {
                        found.extend(
                            value
                                .as_str()
                                .filter(|s| !s.is_empty())
                                .map(ToOwned::to_owned),
                        );
                        found.extend(value.as_i64().map(|n| n.to_string()));
                    }
                    in_tree(value, found);
                }
            }
            serde_json::Value::Array(elements) => {
                elements.iter().for_each(|element| in_tree(element, found))
            }
            _ => {}
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(Into::into),
            "[a:\"\\\\ü, 1]{0,4}".prop_map(Into::into)
        ];
        leaf.prop_recursive(6, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::hash_map("[aA\"\\\\:b]{0,2}", inner, 0..5)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_finds_the_terms_that_a_parsed_tree_has(value in value()) {
            let mut expected = HashSet::new();
            in_tree(&value, &mut expected);
            let found = SearchTerms::of(value.to_string().as_bytes(), &["a".to_owned()]);
            prop_assert_eq!(found.terms, expected);
        }

        #[test]
        fn no_body_panics(body: Vec<u8>, text in "[\"\\\\:{}a1 -]{0,60}") {
            SearchTerms::of(&body, &["a".to_owned()]);
            SearchTerms::of(text.as_bytes(), &["a".to_owned()]);
        }
    }
}

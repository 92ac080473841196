//! Ids, shortened in the middle: their beginnings have the time and their ends the chance, and
//! people compare both.

/// At most `most` characters. Cuts between characters and not bytes, since keys are texts of
/// strangers.
pub(crate) fn middle(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most || most < 3 {
        return text.to_owned();
    }
    let tail = (most - 1) / 2;
    let head = most - 1 - tail;
    let mut short: String = text.chars().take(head).collect();
    short.push('…');
    short.extend(text.chars().skip(length - tail));
    short
}

/// A UUID, or any id of a list: `01a2216f…cdc63e`.
pub(crate) fn id(text: &str) -> String {
    middle(text, 15)
}

/// The first names, and how many more there are: `orders.placed, orders.paid and 3 more types`.
pub(crate) fn listed(names: &[String], most: usize, noun: &str) -> String {
    let shown = names[..names.len().min(most)].join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        1 => format!("{shown} and 1 more {noun}"),
        more => format!("{shown} and {more} more {noun}s"),
    }
}

/// A message of a view without what is for `psql`: the name of the view that has the rows.
pub(crate) fn brief(message: &str) -> String {
    const VIEW: &str = ": see hookfast.";
    let Some((before, rest)) = message.split_once(VIEW) else {
        return message.to_owned();
    };
    // What follows the name stays.
    let after = rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_');
    format!("{before}{after}")
}

/// A text as the beginning of a sentence.
pub(crate) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_stay() {
        assert_eq!(
            id("01a2216f-ac13-755d-9aa7-441aa8cdc63e"),
            "01a2216…8cdc63e"
        );
        assert_eq!(middle("order:3NhR3gKm", 20), "order:3NhR3gKm");
        assert_eq!(middle("abcdef", 5), "ab…ef");
        assert_eq!(middle("abcdef", 4), "ab…f");
    }

    #[test]
    fn sentences_begin_with_a_capital() {
        assert_eq!(capital("no live worker"), "No live worker");
        assert_eq!(capital("é"), "É");
        assert_eq!(capital(""), "");
    }

    #[test]
    fn a_list_says_how_many_more_there_are() {
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        let of = |count: usize| listed(&names[..count], 2, "type");
        assert_eq!(of(0), "");
        assert_eq!(of(2), "a, b");
        assert_eq!(of(3), "a, b and 1 more type");
        assert_eq!(of(4), "a, b and 2 more types");
    }

    #[test]
    fn a_brief_message_names_no_view() {
        let brief_of = "the last 6 attempts failed: see hookfast.failures; 0 ready";
        assert_eq!(brief(brief_of), "the last 6 attempts failed; 0 ready");
        assert_eq!(brief("3 conflicts: see hookfast.conflicts"), "3 conflicts");
        assert_eq!(brief("paused by cy: deploying"), "paused by cy: deploying");
    }

    #[test]
    fn characters_are_not_cut() {
        assert_eq!(middle("ääääääää", 5), "ää…ää");
        assert_eq!(middle("", 5), "");
        assert_eq!(middle("abc", 0), "abc");
    }
}

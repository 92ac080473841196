//! Joins several parts to one readable text, so that different parts never make the same text.

/// Joins by `:`. Inside a part, `:` and `%` are written `%3A` and `%25`.
pub(super) fn joined<S: AsRef<str>>(parts: &[S]) -> String {
    let mut text = String::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            text.push(':');
        }
        for c in part.as_ref().chars() {
            match c {
                ':' => text.push_str("%3A"),
                '%' => text.push_str("%25"),
                c => text.push(c),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::joined;
    use proptest::prelude::*;

    #[test]
    fn ordinary_parts_stay_readable() {
        assert_eq!(
            joined(&["order", "e_TESTrequest-id_00000001", "completed"]),
            "order:e_TESTrequest-id_00000001:completed"
        );
        assert_eq!(joined(&["a:b", "50%"]), "a%3Ab:50%25");
    }

    proptest! {
        /// Both lists are cut from the same words, so they differ only in where the parts end.
        #[test]
        fn different_parts_never_make_the_same_text(
            words in prop::collection::vec(prop::sample::select(vec!["a", "", "%", "%3A", "3A", "%25", "25"]), 2..6),
            cuts: [u8; 2],
            escaped: [bool; 2],
        ) {
            let parts = |cuts: u8, escaped: bool| {
                let mut parts = vec![words[0].to_owned()];
                for (i, word) in words.iter().enumerate().skip(1) {
                    match parts.last_mut() {
                        Some(part) if cuts & (1 << i) == 0 => *part += &format!("{}{word}", if escaped { "%3A" } else { ":" }),
                        _ => parts.push((*word).to_owned()),
                    }
                }
                parts
            };
            let (a, b) = (parts(cuts[0], escaped[0]), parts(cuts[1], escaped[1]));
            let text = |parts: &[String]| joined(&parts.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(a == b, text(&a) == text(&b), "{:?} {:?}", a, b);
        }
    }
}

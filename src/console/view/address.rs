//! Addresses of the console's pages, with the texts of strangers in them.

use url::form_urlencoded;

/// A page with its parameters. Those without a value are left out.
pub(crate) fn page(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// The page that previews an act.
pub(crate) fn act(function: &str, parameters: &[(&str, &str)]) -> String {
    page(&format!("/act/{function}"), parameters)
}

/// A text as one segment of a path, or `None` if a browser would take it for a relative path.
pub(crate) fn segment(text: &str) -> Option<String> {
    if ["", ".", ".."].contains(&text) {
        return None;
    }
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    // A form writes a space as `+`, a path does not.
    Some(encoded.replace('+', "%20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_leave_their_place() {
        assert_eq!(segment("a b/c?d#e").as_deref(), Some("a%20b%2Fc%3Fd%23e"));
        assert_eq!(segment("a+b").as_deref(), Some("a%2Bb"));
        assert_eq!(segment(".."), None);
        assert_eq!(segment(""), None);
        assert_eq!(
            act("replay", &[("event_id", "1"), ("handler", "a&b=c")]),
            "/act/replay?event_id=1&handler=a%26b%3Dc"
        );
        assert_eq!(
            page("/orders", &[("q", ""), ("state", "all")]),
            "/orders?state=all"
        );
        assert_eq!(page("/orders", &[("q", "")]), "/orders");
    }
}

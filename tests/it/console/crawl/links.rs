//! The links of a page, and which of them lead to pages of the same kind.

use std::collections::{HashMap, HashSet};
use url::Url;

/// Addresses of one path with the same parameters, and other values, that are followed.
const VALUES: usize = 2;

/// The addresses that links of a page lead to, except for files.
pub(super) fn links(page: &str) -> Vec<String> {
    let found = page
        .split(" href=\"")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('"')?.0));
    found
        .filter(|address| address.starts_with('/') && !address.starts_with("/assets/"))
        .map(|address| {
            address
                .replace("&#38;", "&")
                .replace("&amp;", "&")
                .replace("&#39;", "'")
        })
        .map(|address| address.split('#').next().unwrap_or_default().to_owned())
        .collect()
}

/// The kinds of pages that were seen.
#[derive(Default)]
pub(super) struct Kinds {
    seen: HashSet<String>,
    values: HashMap<String, usize>,
}

impl Kinds {
    /// Whether no page of this kind was seen. Ids and positions are not part of the kind; tabs, windows and names are, up to a
    /// number of each.
    pub(super) fn is_new(&mut self, address: &str) -> bool {
        let url = Url::parse("http://console/")
            .and_then(|base| base.join(address))
            .expect("an address");
        let path: Vec<_> = url
            .path()
            .split('/')
            .map(|part| if is_id(part) { "*" } else { part })
            .collect();
        let path = path.join("/");
        let mut pairs: Vec<_> = url
            .query_pairs()
            .map(
                |(name, value)| match name.as_ref() == "cursor" || is_id(&value) {
                    true => (name.into_owned(), "*".to_owned()),
                    false => (name.into_owned(), value.into_owned()),
                },
            )
            .collect();
        pairs.sort();
        if !self.seen.insert(format!("{path} {pairs:?}")) {
            return false;
        }
        let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        let followed = self.values.entry(format!("{path} {names:?}")).or_default();
        *followed += 1;
        *followed <= VALUES
    }
}

/// Whether it differs from row to row.
fn is_id(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() >= 3
}

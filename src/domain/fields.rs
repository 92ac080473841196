//! Secret fields and search fields of payloads.

/// Names of payload members at any depth, in lower case, sorted and without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadFields {
    secret: Vec<String>,
    search: Vec<String>,
}

impl PayloadFields {
    /// Makes the lists from these names, ignoring case.
    pub fn new<S: AsRef<str>>(
        secret: impl IntoIterator<Item = S>,
        search: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            secret: named(secret),
            search: named(search),
        }
    }

    /// Combines these fields with those of another.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let both = |ours: &[String], theirs: &[String]| named(ours.iter().chain(theirs));
        Self {
            secret: both(&self.secret, &other.secret),
            search: both(&self.search, &other.search),
        }
    }

    /// The members whose values readers of the database see as `***`.
    pub fn secret(&self) -> &[String] {
        &self.secret
    }

    /// The members whose values find the event.
    pub fn search(&self) -> &[String] {
        &self.search
    }
}

fn named<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    let mut names: Vec<_> = names
        .into_iter()
        .map(|name| name.as_ref().to_lowercase())
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::PayloadFields;

    #[test]
    fn names_are_in_lower_case_each_once() {
        let fields = PayloadFields::new(["Lpa", "qrcode", "lpa"], ["ICCID"]);
        let more = fields.and(&PayloadFields::new(["pin"], ["id"]));
        assert_eq!(more.secret(), ["lpa", "pin", "qrcode"]);
        assert_eq!(more.search(), ["iccid", "id"]);
    }
}

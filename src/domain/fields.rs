//! Members of payloads that matter to people: what readers must not see, and what finds an event.

/// Names of members, at any depth of a payload, in lower case; each once, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadFields {
    secret: Vec<String>,
    search: Vec<String>,
}

impl PayloadFields {
    /// These names; upper case means nothing.
    pub fn new<S: AsRef<str>>(
        secret: impl IntoIterator<Item = S>,
        search: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            secret: named(secret),
            search: named(search),
        }
    }

    /// Both these and those of another.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let both = |ours: &[String], theirs: &[String]| named(ours.iter().chain(theirs));
        Self {
            secret: both(&self.secret, &other.secret),
            search: both(&self.search, &other.search),
        }
    }

    /// Whose values readers of the database do not see.
    pub fn secret(&self) -> &[String] {
        &self.secret
    }

    /// Whose values find the event.
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

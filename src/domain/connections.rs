//! The number of database connections of a transactional handler.

/// The connections of one transactional handler in one process. An attempt needs one from its
/// beginning to its commit, so this is also how many attempts run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections(u8);

/// The number of connections is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a handler has 1 to 100 connections, not {0}")]
pub struct InvalidConnections(usize);

impl Connections {
    /// Checks a number of connections.
    ///
    /// # Errors
    /// If the number is not from 1 to 100.
    pub fn new(connections: usize) -> Result<Self, InvalidConnections> {
        match u8::try_from(connections) {
            Ok(number @ 1..=100) => Ok(Self(number)),
            _ => Err(InvalidConnections(connections)),
        }
    }

    /// Returns the number of connections.
    pub fn count(self) -> u32 {
        self.0.into()
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self(4)
    }
}

#[cfg(test)]
mod tests {
    use super::Connections;

    #[test]
    fn a_handler_has_at_least_one_connection_and_at_most_a_hundred() {
        for good in [1, 4, 100] {
            assert_eq!(
                Connections::new(good).map(Connections::count),
                Ok(u32::try_from(good).expect("small"))
            );
        }
        for bad in [0, 101, 256 + 4, usize::MAX] {
            assert!(Connections::new(bad).is_err(), "{bad}");
        }
    }
}

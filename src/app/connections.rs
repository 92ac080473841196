//! The number of database connections that one process may have open at once, by purpose.

use super::{
    Builder,
    builder::{Execution, HandlerDeclaration},
    open::POOL,
    run::WRITERS,
};
use crate::ingress;
use crate::maintenance;
use crate::worker::{self, ExecutionMode};

/// The connections that one purpose needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionNeed {
    /// What uses the connections, as text for people.
    pub purpose: String,
    /// The maximum number of connections open at once.
    pub connections: u32,
}

impl Builder {
    /// The connections that a process with both roles may have open at once, by purpose.
    pub fn connection_needs(&self) -> Vec<ConnectionNeed> {
        let fixed = [
            ("queries", POOL),
            ("wake-ups sent", 1),
            ("stored webhooks", WRITERS as u32),
        ];
        let fixed = fixed
            .iter()
            .chain(&ingress::CONNECTIONS)
            .chain(&worker::CONNECTIONS)
            .chain(&maintenance::CONNECTIONS);
        let fixed = fixed.map(|(purpose, connections)| need((*purpose).to_owned(), *connections));
        let reconciliation =
            (!self.accounts.is_empty()).then(|| need("reconciliation".to_owned(), 1));
        let handlers = self
            .handlers
            .iter()
            .filter(|declared| declared.is_transactional())
            .map(|declared| {
                let subscription = &declared.subscription;
                need(
                    format!("handler '{}'", subscription.name),
                    subscription.policy.connections.count(),
                )
            });
        fixed.chain(reconciliation).chain(handlers).collect()
    }
}

impl HandlerDeclaration {
    pub(super) fn is_transactional(&self) -> bool {
        match &self.by {
            Execution::InProcess(ExecutionMode::InTransaction(_)) | Execution::SqlFunction(_) => {
                true
            }
            Execution::InProcess(ExecutionMode::Plain(_)) | Execution::Pull => false,
        }
    }
}

fn need(purpose: String, connections: u32) -> ConnectionNeed {
    ConnectionNeed {
        purpose,
        connections,
    }
}

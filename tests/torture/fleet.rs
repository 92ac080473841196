//! The processes of Hookfast under test: two that receive webhooks and two that deliver them.

use crate::{
    sender::Addresses,
    support::{server::Server, wait_until_within},
};
use nix::sys::signal::Signal;
use std::{path::Path, sync::Arc, time::Duration};

/// After the last fault each process has to become ready again by itself.
const RECOVERY: Duration = Duration::from_secs(60);

/// The processes, and the logs of those that were killed.
pub(crate) struct Fleet {
    url: String,
    config: String,
    ingresses: Vec<Server>,
    workers: Vec<Server>,
    addresses: Addresses,
    logs: Vec<(String, String)>,
}

impl Fleet {
    /// Starts all of them and waits until they are ready.
    pub(crate) async fn start(url: &str, config: &str) -> Self {
        let launch = |role| Server::serve(url, config, &["--roles", role]);
        let (ingresses, workers) = (
            [(); 2].map(|()| launch("ingress")),
            [(); 2].map(|()| launch("worker")),
        );
        let mut addresses = Vec::new();
        for ingress in &ingresses {
            addresses.push(ingress.ingress().await);
        }
        let fleet = Self {
            url: url.to_owned(),
            config: config.to_owned(),
            ingresses: ingresses.into(),
            workers: workers.into(),
            addresses: Arc::new(addresses.into()),
            logs: Vec::new(),
        };
        fleet.ready().await;
        fleet
    }

    /// The addresses for webhooks; follows the restarts.
    pub(crate) fn addresses(&self) -> Addresses {
        Arc::clone(&self.addresses)
    }

    pub(crate) async fn kill_ingress(&mut self, index: usize) {
        self.ingresses[index].kill().await;
        let restarted = Server::serve(&self.url, &self.config, &["--roles", "ingress"]);
        let killed = std::mem::replace(&mut self.ingresses[index], restarted);
        self.keep_log("ingress", index, &killed);
        let address = self.ingresses[index].ingress().await;
        self.addresses.lock().expect("no holder panics")[index] = address;
    }

    pub(crate) async fn kill_worker(&mut self, index: usize) {
        self.workers[index].kill().await;
        let restarted = Server::serve(&self.url, &self.config, &["--roles", "worker"]);
        let killed = std::mem::replace(&mut self.workers[index], restarted);
        self.keep_log("worker", index, &killed);
    }

    pub(crate) fn signal_worker(&self, index: usize, signal: Signal) {
        self.workers[index].signal(signal);
    }

    /// Waits until every process reports that it is ready.
    pub(crate) async fn ready(&self) {
        for server in self.ingresses.iter().chain(&self.workers) {
            let admin = server.admin().await;
            wait_until_within(RECOVERY, "readiness of every process", async || {
                crate::support::server::get(admin, "/readyz").await == 200
            })
            .await;
        }
    }

    /// Ends every process by SIGTERM; returns the names of those whose exit status was not 0.
    pub(crate) async fn stop(&mut self) -> Vec<String> {
        let mut failed = Vec::new();
        let servers = [
            ("ingress", std::mem::take(&mut self.ingresses)),
            ("worker", std::mem::take(&mut self.workers)),
        ];
        for (role, servers) in servers {
            for (index, mut server) in servers.into_iter().enumerate() {
                server.signal(Signal::SIGTERM);
                let status = server.ended().await;
                if !status.success() {
                    failed.push(format!("{role} {index} ended with {status} after SIGTERM"));
                }
                self.keep_log(role, index, &server);
            }
        }
        failed
    }

    fn keep_log(&mut self, role: &str, index: usize, server: &Server) {
        self.logs.push((
            format!("{role}-{index}-process-{}.log", server.pid()),
            server.log(),
        ));
    }

    /// Writes the log of each process that has ended into a folder.
    pub(crate) fn write_logs(&self, folder: &Path) -> std::io::Result<()> {
        self.logs
            .iter()
            .try_for_each(|(name, log)| std::fs::write(folder.join(name), log))
    }
}

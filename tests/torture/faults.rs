//! Carries out the planned faults.

use crate::fleet::Fleet;
use crate::plan::{Fault, Planned};
use crate::support::{tcp_proxy::TcpProxy, wait_until};
use hookfast::internals::dev::postgres::Cluster;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Everything that can be broken.
pub(crate) struct Victims {
    pub(crate) cluster: Cluster,
    pub(crate) line: TcpProxy,
    pub(crate) fleet: Fleet,
}

impl Victims {
    /// Carries out the plan. A fault that is due while another is being carried out follows right
    /// after it.
    pub(crate) async fn suffer(&mut self, plan: &[Planned], length: Duration) {
        let begun = Instant::now();
        for planned in plan {
            sleep_until(begun + planned.at).await;
            println!(
                "{}",
                Planned {
                    at: begun.elapsed(),
                    ..*planned
                }
            );
            self.inflict(planned.fault).await;
        }
        sleep_until(begun + length).await;
    }

    async fn inflict(&mut self, fault: Fault) {
        match fault {
            Fault::KillIngress(index) => self.fleet.kill_ingress(index).await,
            Fault::KillWorker(index) => self.fleet.kill_worker(index).await,
            Fault::KillPostmaster => {
                self.kill_postmaster().await;
                self.cluster.restart().await.expect("Postgres recovers");
            }
            Fault::RestartPostgres => {
                self.cluster.stop_immediate().await.expect("Postgres stops");
                self.cluster.restart().await.expect("Postgres recovers");
            }
            Fault::CutLine => self.line.cut(),
            Fault::MendLine => self.line.open(),
            Fault::FreezeConnections => self.line.freeze(),
            Fault::StopWorker(index) => self.fleet.signal_worker(index, Signal::SIGSTOP),
            Fault::ContinueWorker(index) => self.fleet.signal_worker(index, Signal::SIGCONT),
        }
    }

    /// Its child processes have to notice by themselves.
    async fn kill_postmaster(&mut self) {
        let file = std::fs::read_to_string(self.cluster.data_dir().join("postmaster.pid"))
            .expect("Postgres runs");
        let pid = file
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok())
            .expect("the pid is the first line");
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("the postmaster is there");
        wait_until("the end of the postmaster", async || {
            !self.cluster.is_running()
        })
        .await;
    }
}

//! The memory and processor time of processes, as counted by Linux.

use crate::{database::Postgres, server::Server};
use anyhow::Context;
use std::{fs, time::Duration};

/// The resources that a process has used so far.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// Its present memory, in MiB.
    pub(crate) resident: f64,
    /// Its highest memory, in MiB.
    pub(crate) highest: f64,
    pub(crate) processor: Duration,
}

/// Reads the usage of a process.
pub(crate) fn of(pid: u32) -> anyhow::Result<Usage> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("this needs Linux")?;
    let mebibytes = |name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .map_or(f64::NAN, |kib: f64| kib / 1024.0)
    };
    let processor = Stat::of(pid).context("this needs Linux")?.own;
    Ok(Usage {
        resident: mebibytes("VmRSS"),
        highest: mebibytes("VmHWM"),
        processor,
    })
}

/// The processor time of a process and all its children, including those that have ended.
pub(crate) fn processor_of_family(parent: u32) -> Option<Duration> {
    let stat = Stat::of(parent)?;
    let pids = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = pids
        .filter_map(Stat::of)
        .filter(|child| child.parent == parent)
        .map(|child| child.own);
    Some(stat.own + stat.ended_children + children.sum::<Duration>())
}

/// Measures the processor time for each request from its start on. Other load on the machine
/// changes this figure less than any other.
pub(crate) struct Meter<'a> {
    of: (&'a Server, &'a Postgres),
    then: (Duration, Option<Duration>),
}

/// Processor time for each request, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// Of the server.
    pub(crate) server: f64,
    /// Of all Postgres processes. NaN if it cannot be read.
    pub(crate) postgres: f64,
}

impl<'a> Meter<'a> {
    pub(crate) fn start(server: &'a Server, postgres: &'a Postgres) -> anyhow::Result<Self> {
        Ok(Self {
            of: (server, postgres),
            then: (server.usage()?.processor, postgres.processor()),
        })
    }

    /// The cost since the start, divided by this number of requests.
    pub(crate) fn read(&self, requests: u64) -> anyhow::Result<Cost> {
        let each = |used: Duration| used.as_secs_f64() * 1e6 / requests as f64;
        let server = each(self.of.0.usage()?.processor - self.then.0);
        let postgres = self
            .of
            .1
            .processor()
            .zip(self.then.1)
            .map_or(f64::NAN, |(now, then)| each(now - then));
        Ok(Cost { server, postgres })
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "processor time a request: server {:.0} µs, Postgres {:.0} µs",
            self.server, self.postgres
        )
    }
}

struct Stat {
    parent: u32,
    own: Duration,
    ended_children: Duration,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field, the name, may contain anything, so this splits behind its last bracket.
        // The first field here is the third one.
        let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
        // Hundredths of a second on every Linux.
        let ticks = |field: usize| {
            fields
                .get(field - 3)?
                .parse::<u64>()
                .ok()
                .map(|ticks| Duration::from_millis(10 * ticks))
        };
        let parent = fields.get(1)?.parse().ok()?;
        Some(Self {
            parent,
            own: ticks(14)? + ticks(15)?,
            ended_children: ticks(16)? + ticks(17)?,
        })
    }
}

//! What processes use, as Linux counts it.

use anyhow::Context;
use std::{fs, time::Duration};

/// What a process has used until now.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// Memory it holds now, in MiB.
    pub(crate) resident: f64,
    /// The most it has held, in MiB.
    pub(crate) highest: f64,
    /// Processor time.
    pub(crate) processor: Duration,
}

/// What that process has used.
pub(crate) fn of(pid: u32) -> anyhow::Result<Usage> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("this needs Linux")?;
    let mebibytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).map_or(f64::NAN, |kib: f64| kib / 1024.0)
    };
    let processor = Stat::of(pid).context("this needs Linux")?.own;
    Ok(Usage { resident: mebibytes("VmRSS"), highest: mebibytes("VmHWM"), processor })
}

/// Processor time of a process and of all its children, also of those that have ended.
pub(crate) fn processor_of_family(parent: u32) -> Option<Duration> {
    let stat = Stat::of(parent)?;
    let pids = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = pids.filter_map(Stat::of).filter(|child| child.parent == parent).map(|child| child.own);
    Some(stat.own + stat.ended_children + children.sum::<Duration>())
}

struct Stat {
    parent: u32,
    own: Duration,
    ended_children: Duration,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field, the name, may hold anything, so from behind its last bracket: the third is the first here.
        let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
        // Hundredths of a second on every Linux.
        let ticks =
            |field: usize| fields.get(field - 3)?.parse::<u64>().ok().map(|ticks| Duration::from_millis(10 * ticks));
        let parent = fields.get(1)?.parse().ok()?;
        Some(Self { parent, own: ticks(14)? + ticks(15)?, ended_children: ticks(16)? + ticks(17)? })
    }
}

//! The sequence of faults. It depends only on the seed and the duration, so that a failed run can
//! be repeated.

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use std::{fmt, time::Duration};

/// A lease expires 15 s after its last renewal; a worker that is stopped for this long has lost it.
const PAST_THE_LEASE: std::ops::Range<f64> = 17.0..19.0;

/// The shortest run that has time for such a stop.
const SHORTEST_WITH_STOP: Duration = Duration::from_secs(25);

/// One fault, or the end of a fault that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    KillIngress(usize),
    KillWorker(usize),
    KillPostmaster,
    RestartPostgres,
    CutLine,
    MendLine,
    FreezeConnections,
    StopWorker(usize),
    ContinueWorker(usize),
}

/// The faults that a run draws from. Stops of a worker are planned apart, since they last so long.
const KINDS: [fn(usize) -> Fault; 6] = [
    Fault::KillIngress,
    Fault::KillWorker,
    |_| Fault::KillPostmaster,
    |_| Fault::RestartPostgres,
    |_| Fault::CutLine,
    |_| Fault::FreezeConnections,
];

/// A fault and its time, counted from the first webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) at: Duration,
    pub(crate) fault: Fault,
}

/// Every kind occurs once, in random order, before any occurs again.
pub(crate) fn plan(seed: u64, length: Duration) -> Vec<Planned> {
    let mut random = StdRng::seed_from_u64(seed);
    let stops = stops(&mut random, length);
    let mut planned: Vec<Planned> = stops.iter().flat_map(|stop| stop.faults()).collect();
    let (mut at, mut kinds) = (Duration::ZERO, Vec::new());
    loop {
        at += Duration::from_secs_f64(random.random_range(0.5..4.0));
        if at >= length {
            break;
        }
        if kinds.is_empty() {
            kinds = KINDS.to_vec();
            kinds.shuffle(&mut random);
        }
        let (kind, mut process) = (
            kinds.pop().expect("filled above"),
            random.random_range(0..2),
        );
        let fault = kind(process);
        if let Some(stop) = stops.iter().find(|stop| stop.covers(at)) {
            process = 1 - stop.worker;
        }
        // A stopped worker is not killed: it has to wake up late.
        let fault = if let Fault::KillWorker(_) = fault {
            Fault::KillWorker(process)
        } else {
            fault
        };
        planned.push(Planned { at, fault });
        if fault == Fault::CutLine {
            let mended = at + Duration::from_secs_f64(random.random_range(0.1..2.0));
            planned.push(Planned {
                at: mended.min(length),
                fault: Fault::MendLine,
            });
        }
    }
    planned.sort_by_key(|planned| planned.at);
    planned
}

/// A worker that does not run for a while.
struct Stop {
    worker: usize,
    from: Duration,
    to: Duration,
}

impl Stop {
    fn covers(&self, at: Duration) -> bool {
        self.from <= at && at <= self.to
    }

    fn faults(&self) -> [Planned; 2] {
        let (worker, from, to) = (self.worker, self.from, self.to);
        [
            Planned {
                at: from,
                fault: Fault::StopWorker(worker),
            },
            Planned {
                at: to,
                fault: Fault::ContinueWorker(worker),
            },
        ]
    }
}

/// One after the other, with pauses in which both workers run.
fn stops(random: &mut StdRng, length: Duration) -> Vec<Stop> {
    let (mut stops, mut from) = (
        Vec::new(),
        Duration::from_secs_f64(random.random_range(1.0..3.0)),
    );
    if length < SHORTEST_WITH_STOP {
        return stops;
    }
    loop {
        let to = from + Duration::from_secs_f64(random.random_range(PAST_THE_LEASE));
        if to >= length {
            return stops;
        }
        stops.push(Stop {
            worker: random.random_range(0..2),
            from,
            to,
        });
        from = to + Duration::from_secs_f64(random.random_range(10.0..40.0));
    }
}

impl Fault {
    /// Its name in the table of counts; none for the end of a fault.
    pub(crate) fn kind(self) -> Option<&'static str> {
        Some(match self {
            Self::KillIngress(_) => "ingress process killed",
            Self::KillWorker(_) => "worker process killed",
            Self::KillPostmaster => "postmaster killed",
            Self::RestartPostgres => "Postgres stopped without a checkpoint",
            Self::CutLine => "connections to Postgres cut",
            Self::FreezeConnections => "open connections to Postgres frozen",
            Self::StopWorker(_) => "worker stopped past its lease",
            Self::MendLine | Self::ContinueWorker(_) => return None,
        })
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7.2} s  {:?}", self.at.as_secs_f64(), self.fault)
    }
}

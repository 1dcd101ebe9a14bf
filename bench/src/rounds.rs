//! The order of measuring. For each work all peers are started and warmed up; then every peer is measured once per
//! round, each round beginning with another one. What disturbs the machine for some seconds so disturbs neighbours
//! in one round, and ratios are taken within rounds.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::{
    load::{Outcome, Place, own::Idle},
    peer::{Peer, Setting, Site},
    process::{busy_time, pause, wait_for},
    stage::Stage,
    tools::Tools,
    work::{Kind, Work},
};

/// Memory that has not changed for so long stays as it is.
const SETTLING: Duration = Duration::from_secs(2);

/// A peer under the name it has in the tables: the baseline stands there twice.
#[derive(Debug)]
pub(crate) struct Entrant {
    pub(crate) label: String,
    pub(crate) peer: &'static Peer,
    pub(crate) program: PathBuf,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// CPU µs per request, KiB per connection or milliseconds: see [`crate::work::Unit`].
    pub(crate) cost: f64,
    /// For work that is load.
    pub(crate) load: Option<LoadSample>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoadSample {
    pub(crate) outcome: Outcome,
    /// How much of its processors the peer used: far below 1 the generator or the backend was the limit.
    pub(crate) busy: f64,
    /// How much of those processors somebody else used meanwhile.
    pub(crate) others: f64,
}

/// All samples of one peer at one work; `None` in a round means that it failed.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) samples: Vec<Option<Sample>>,
    /// What went wrong, in words.
    pub(crate) trouble: Option<String>,
}

/// How many rounds of which length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Before the first round, so that pools are filled and code is warm; zero: not at all.
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}

pub(crate) fn measure(
    stage: &Stage,
    tools: &Tools,
    entrants: &[Entrant],
    work: &Work,
    setting: Setting,
    effort: Effort,
) -> anyhow::Result<Vec<Row>> {
    let place = Place { tools, processors: &stage.load_on, directory: stage.path() };
    let able: Vec<&Entrant> = entrants
        .iter()
        .filter(|entrant| work.needs.is_none_or(|ability| entrant.peer.can(ability)))
        .collect();
    let mut rows: Vec<Row> =
        able.iter().map(|one| Row { label: one.label.clone(), samples: Vec::new(), trouble: None }).collect();

    // Memory and start are properties of a fresh process, and are measured on one in each round.
    let fresh = matches!(work.kind, Kind::Idle { .. } | Kind::Ready);
    let mut lanes = Vec::new();
    if !fresh {
        for (entrant, row) in able.iter().zip(&mut rows) {
            match Lane::prepare(stage, &place, entrant, work, setting, effort) {
                Ok(lane) => lanes.push(Some(lane)),
                Err(error) => {
                    row.trouble = Some(format!("{error:#}"));
                    lanes.push(None);
                }
            }
        }
    }

    for round in 0..effort.rounds {
        for turn in 0..able.len() {
            let nth = (round + turn) % able.len();
            let (Some(entrant), Some(row)) = (able.get(nth), rows.get_mut(nth)) else { continue };
            if row.trouble.is_some() {
                row.samples.push(None);
                continue;
            }
            let sample = match lanes.get_mut(nth) {
                Some(Some(lane)) => lane.load(stage, &place, work, effort.time),
                _ => on_a_fresh_process(stage, &place, entrant, work, setting),
            };
            match sample {
                Ok(sample) => row.samples.push(Some(sample)),
                Err(error) => {
                    row.samples.push(None);
                    row.trouble = Some(format!("{error:#}"));
                }
            }
        }
    }
    Ok(rows)
}

/// A started and warm peer.
struct Lane {
    site: Site,
    /// Requests per second at most, where the work takes a share of it.
    most: Option<f64>,
}

impl Lane {
    fn prepare(
        stage: &Stage,
        place: &Place<'_>,
        entrant: &Entrant,
        work: &Work,
        setting: Setting,
        effort: Effort,
    ) -> anyhow::Result<Self> {
        let site = Site::open(stage, entrant.peer, &entrant.program, &entrant.label, setting)?;
        work.probe(&site)?;
        let most = match work.capacity(&site) {
            Some(generator) => Some(generator.run(place, effort.time)?.rate()),
            None => None,
        };
        let lane = Self { site, most };
        if !effort.warm_up.is_zero() {
            let generator = work.generator(&lane.site, most).context("this work is no load")?;
            generator.run(place, effort.warm_up)?;
        }
        Ok(lane)
    }

    fn load(
        &mut self,
        stage: &Stage,
        place: &Place<'_>,
        work: &Work,
        time: Duration,
    ) -> anyhow::Result<Sample> {
        let generator = work.generator(&self.site, self.most).context("this work is no load")?;
        self.site.process.check()?;
        let (cpu, busy, start) = (self.site.process.cpu_time(), busy_time(&stage.peers_on), Instant::now());
        let outcome = generator.run(place, time)?;
        let wall = start.elapsed().as_secs_f64() * stage.peers_on.count() as f64;
        let cpu = self.site.process.cpu_time().saturating_sub(cpu).as_secs_f64();
        let busy = busy_time(&stage.peers_on).saturating_sub(busy).as_secs_f64();
        anyhow::ensure!(outcome.requests > 0, "nothing was answered, {} errors", outcome.errors);
        Ok(Sample {
            cost: cpu * 1e6 / outcome.requests as f64,
            load: Some(LoadSample { outcome, busy: cpu / wall, others: (busy - cpu).max(0.0) / wall }),
        })
    }
}

/// The memory of a peer that has stopped to change it: what it needed for its start, or for many handshakes at
/// once, is given back with a delay by some.
fn settled(site: &Site) -> anyhow::Result<u64> {
    let mut last = site.process.memory_kib();
    let mut since = Instant::now();
    wait_for("memory to settle", SETTLING * 10, || {
        let now = site.process.memory_kib();
        if now.abs_diff(last) > last / 200 {
            (last, since) = (now, Instant::now());
        }
        pause(SETTLING / 10);
        Ok((since.elapsed() > SETTLING).then_some(now))
    })
}

fn on_a_fresh_process(
    stage: &Stage,
    place: &Place<'_>,
    entrant: &Entrant,
    work: &Work,
    setting: Setting,
) -> anyhow::Result<Sample> {
    let site = Site::open(stage, entrant.peer, &entrant.program, &entrant.label, setting)?;
    let cost = match work.kind {
        Kind::Idle { connections } => {
            // Between so many connections and twice as many, all of them after the start: what that left behind would
            // be taken for the first, and hide what they take.
            settled(&site)?;
            let some = Idle::open(place, site.https, "/chat/hello", connections)?;
            let before = settled(&site)?;
            let more = Idle::open(place, site.https, "/chat/hello", connections)?;
            let with = settled(&site)?;
            drop((some, more));
            with.saturating_sub(before) as f64 / connections as f64
        }
        _ => site.ready_after.as_secs_f64() * 1e3,
    };
    Ok(Sample { cost, load: None })
}

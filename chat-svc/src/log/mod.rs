//! The log: every room's durable events, gap-free and in order, written in groups.
//!
//! ```text
//! Log::append ──▶ lane (an OS thread with a connection of its own; a room always has the same lane)
//!                  │  takes what is queued, up to 512 jobs, as one batch: no timer, groups form under load alone
//!                  ├─ BEGIN; lock the rooms; decide each job; store; COMMIT          (batch.rs)
//!                  ├─ answer each job                                                acknowledged after the commit,
//!                  └─ tell the hub                                                   seen by others after the commit
//! ```
//!
//! A room's row is locked until the commit, so the order of commits is the order of seqs, and a rollback leaves no
//! hole. When a commit's fate is unknown (the connection broke), the batch runs again: every command finds what an
//! earlier run did and adds nothing to it.

mod batch;
mod lane;

pub(crate) use batch::Notice;
pub(crate) use lane::{Log, News};

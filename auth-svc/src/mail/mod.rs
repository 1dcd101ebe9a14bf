//! Mail: written in the transaction that has a reason for it, sent by a worker afterwards.
//!
//! So a mail is sent if and only if the thing happened, how long a mail server takes shows in no answer, and a mail
//! server that is away delays and loses nothing.

mod letter;
mod link;
mod worker;

pub(crate) use letter::Letter;
pub(crate) use link::{LinkError, Purpose, look_up, send_link, use_up};
pub(crate) use worker::{Transport, run};

//! Attempts are free for a while, then each failure makes the next one wait longer.
//!
//! Failures are counted by what they have in common: one name from one address, one name from everywhere, one address
//! for every name. Names are counted as they are typed, whether anybody has them or not, so a limit tells nothing. A
//! name is never locked: whoever guesses from everywhere slows its owner down by a minute at the most.
//!
//! Looking comes before hashing and counting after it. In between are no more guesses than the hashing pool holds.

use std::{net::IpAddr, time::Duration};

use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
    problem::{Problem, kind},
};
use sha2::{Digest as _, Sha256};

use crate::store::throttles;

/// What failures are counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A name, from one address.
    NameFrom(String, Option<IpAddr>),
    /// A name, from everywhere.
    Name(String),
    /// An address, whatever it tries.
    Address(Option<IpAddr>),
    /// Codes for somebody whose password was right, and passwords of somebody who is signed in.
    Proof(UserId),
    /// Passkey ceremonies begun from one address: every one counts.
    Ceremonies(Option<IpAddr>),
    /// Mail to one address: every one counts.
    MailTo(String),
    /// Mail asked for from one address: every one counts.
    MailFrom(Option<IpAddr>),
}

/// How patient we are with a subject.
struct Patience {
    /// So many failures cost nothing.
    free: u32,
    /// The first one after that makes the next attempt wait so long, each further one twice as long …
    first: Duration,
    /// … up to this.
    longest: Duration,
    /// All is forgotten so long after the last.
    forgotten: Duration,
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

impl Subject {
    const fn patience(&self) -> Patience {
        let (free, first, longest, forgotten) = match self {
            Self::NameFrom(..) => (5, Duration::from_secs(1), minutes(15), minutes(60)),
            Self::Name(_) => (20, Duration::from_secs(1), minutes(1), minutes(60)),
            Self::Address(_) => (50, Duration::from_secs(1), minutes(15), minutes(60)),
            Self::Proof(_) => (5, Duration::from_secs(30), minutes(15), minutes(60)),
            Self::Ceremonies(_) => (100, Duration::from_secs(1), minutes(1), minutes(10)),
            Self::MailTo(_) => (3, minutes(5), minutes(60), minutes(120)),
            Self::MailFrom(_) => (20, minutes(1), minutes(60), minutes(120)),
        };
        Patience { free, first, longest, forgotten }
    }

    fn key(&self) -> [u8; 32] {
        let text = match self {
            Self::NameFrom(name, ip) => format!("name {name} from {}", network(*ip)),
            Self::Name(name) => format!("name {name}"),
            Self::Address(ip) => format!("address {}", network(*ip)),
            Self::Proof(user) => format!("proof {user}"),
            Self::Ceremonies(ip) => format!("ceremonies from {}", network(*ip)),
            Self::MailTo(address) => format!("mail to {address}"),
            Self::MailFrom(ip) => format!("mail from {}", network(*ip)),
        };
        Sha256::digest(text).into()
    }
}

impl Patience {
    fn wait_after(&self, failures: i64) -> Duration {
        let Ok(over) = u32::try_from(failures - i64::from(self.free)) else { return Duration::ZERO };
        match over {
            0 => Duration::ZERO,
            over => self.first.saturating_mul(2_u32.saturating_pow(over - 1)).min(self.longest),
        }
    }
}

/// An IPv6 client owns a /64 at the least: counted one by one they would be without end.
fn network(ip: Option<IpAddr>) -> String {
    match ip {
        None => "unknown".to_owned(),
        Some(IpAddr::V4(ip)) => ip.to_string(),
        Some(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Too many failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; the next one in {0:?}")]
pub(crate) struct TooMany(pub Duration);

impl From<TooMany> for Problem {
    fn from(TooMany(wait): TooMany) -> Self {
        Self::new(kind::TOO_MANY_REQUESTS)
            .detail("Too many attempts. Please wait a little.")
            .retry_after(wait)
    }
}

/// Whether an attempt may be made now: `Err` within `Ok` when not.
pub(crate) fn look(
    db: &mut Db,
    subjects: &[Subject],
    now: Timestamp,
) -> Result<Result<(), TooMany>, DbError> {
    let keys: Vec<_> = subjects.iter().map(|subject| subject.key().to_vec()).collect();
    let wait = throttles::latest_of(db, &keys)?.map_or(Duration::ZERO, |not_before| not_before.since(now));
    Ok(if wait.is_zero() { Ok(()) } else { Err(TooMany(wait)) })
}

/// Like [`look`], for who counts in the same transaction: others wait until it ends, so that of a crowd that comes at
/// once no more pass than may.
pub(crate) fn look_alone(
    db: &mut Db,
    subjects: &[Subject],
    now: Timestamp,
) -> Result<Result<(), TooMany>, DbError> {
    for subject in subjects {
        throttles::lock(db, &subject.key(), now, now + subject.patience().forgotten)?;
    }
    look(db, subjects, now)
}

/// Counts a failure.
pub(crate) fn count(db: &mut Db, subjects: &[Subject], now: Timestamp) -> Result<(), DbError> {
    for subject in subjects {
        let (key, patience) = (subject.key(), subject.patience());
        let failures = throttles::count(db, &key, now, now + patience.forgotten)?;
        let wait = patience.wait_after(failures);
        if !wait.is_zero() {
            throttles::set_wait(db, &key, now + wait)?;
        }
    }
    Ok(())
}

/// Forgets failures: the one who made them has shown who they are.
pub(crate) fn forgive(db: &mut Db, subject: &Subject) -> Result<(), DbError> {
    throttles::delete(db, &subject.key())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_have_an_end() {
        let patience = Subject::Name("ann".to_owned()).patience();

        let waits: Vec<_> = [0, 20, 21, 22, 25, 1000].map(|n| patience.wait_after(n).as_secs()).into();

        assert_eq!(waits, [0, 0, 1, 2, 16, 60]);
    }

    #[test]
    fn one_subject_has_one_key_and_another_another() {
        let ip = |text: &str| Some(text.parse().unwrap());
        let key = |ip| Subject::Address(ip).key();

        assert_eq!(key(ip("2001:db8::1")), key(ip("2001:db8::ffff")));
        assert_ne!(key(ip("2001:db8::1")), key(ip("2001:db8:0:1::1")));
        assert_ne!(key(ip("192.0.2.1")), key(ip("192.0.2.2")));
        assert_ne!(key(ip("192.0.2.1")), Subject::MailFrom(ip("192.0.2.1")).key());
    }
}

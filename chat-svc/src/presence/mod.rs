//! Who follows a room right now, at this replica and at the others.
//!
//! Each replica tells what changes at its own sockets, and every [`RENEWAL`] the whole, so that a replica that hears
//! for the first time, or again, knows soon. What a replica told runs out by itself when it tells no more. Someone who
//! reloads a page is not gone: an absence counts after [`GRACE`].

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use irongate_shared::id::UserId;
use tokio::time::Instant;
use uuid::Uuid;

/// How often a replica tells the whole.
pub(crate) const RENEWAL: Duration = Duration::from_secs(20);

/// How long what a replica told is believed.
const BELIEF: Duration = Duration::from_secs(50);

/// How long a user without a socket still counts as there.
const GRACE: Duration = Duration::from_secs(4);

/// A room of more people shows no single comings and goings, and one of more members nobody's read marks.
pub(crate) const CROWD: usize = 500;

/// What changed for those who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Came(UserId),
    Went(UserId),
}

/// Who follows one room.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    /// Sockets here, by user; none for one who left a moment ago.
    here: HashMap<UserId, usize>,
    /// Who left, and when that counts.
    leaving: HashMap<UserId, Instant>,
    elsewhere: HashMap<Uuid, Elsewhere>,
}

/// What another replica told.
#[derive(Debug)]
struct Elsewhere {
    users: HashSet<UserId>,
    until: Instant,
}

impl Presence {
    /// A socket of this user follows the room here; says what is news to everybody.
    pub(crate) fn enter(&mut self, user: UserId) -> Option<Change> {
        let known = self.is_there(user);
        self.leaving.remove(&user);
        *self.here.entry(user).or_default() += 1;
        (!known).then_some(Change::Came(user))
    }

    /// A socket of this user follows no more.
    pub(crate) fn leave(&mut self, user: UserId, now: Instant) {
        if let Some(sockets) = self.here.get_mut(&user) {
            *sockets = sockets.saturating_sub(1);
            if *sockets == 0 {
                self.leaving.insert(user, now + GRACE);
            }
        }
    }

    /// Another replica told of one of its users.
    pub(crate) fn told(&mut self, replica: Uuid, change: &Change, now: Instant) -> Option<Change> {
        match *change {
            Change::Came(user) => {
                let known = self.is_there(user);
                let elsewhere = self.elsewhere.entry(replica);
                let elsewhere =
                    elsewhere.or_insert_with(|| Elsewhere { users: HashSet::new(), until: now + BELIEF });
                elsewhere.users.insert(user);
                (!known).then_some(Change::Came(user))
            }
            Change::Went(user) => {
                let was =
                    self.elsewhere.get_mut(&replica).is_some_and(|elsewhere| elsewhere.users.remove(&user));
                (was && !self.is_there(user)).then_some(Change::Went(user))
            }
        }
    }

    /// Another replica told of all its users in the room.
    pub(crate) fn told_all(&mut self, replica: Uuid, users: HashSet<UserId>, now: Instant) -> Vec<Change> {
        let before = self.all();
        if users.is_empty() {
            self.elsewhere.remove(&replica);
        } else {
            self.elsewhere.insert(replica, Elsewhere { users, until: now + BELIEF });
        }
        self.since(&before)
    }

    /// Ends what has run out; says what others, and those who watch here, are to be told.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Change> {
        let due = self.leaving.values().any(|at| *at <= now)
            || self.elsewhere.values().any(|elsewhere| elsewhere.until <= now);
        if !due {
            return Vec::new();
        }
        let before = self.all();
        let gone: Vec<_> = self.leaving.iter().filter(|(_, at)| **at <= now).map(|(user, _)| *user).collect();
        for user in gone {
            self.leaving.remove(&user);
            self.here.remove(&user);
        }
        self.elsewhere.retain(|_, elsewhere| elsewhere.until > now);
        self.since(&before)
    }

    /// The users of this replica.
    pub(crate) fn here(&self) -> impl Iterator<Item = UserId> {
        self.here.keys().copied()
    }

    /// Everybody, each once.
    pub(crate) fn all(&self) -> BTreeSet<UserId> {
        let elsewhere = self.elsewhere.values().flat_map(|elsewhere| &elsewhere.users);
        self.here.keys().chain(elsewhere).copied().collect()
    }

    fn is_there(&self, user: UserId) -> bool {
        self.here.contains_key(&user)
            || self.elsewhere.values().any(|elsewhere| elsewhere.users.contains(&user))
    }

    fn since(&self, before: &BTreeSet<UserId>) -> Vec<Change> {
        let after = self.all();
        let came = after.difference(before).map(|user| Change::Came(*user));
        let went = before.difference(&after).map(|user| Change::Went(*user));
        came.chain(went).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn who_reloads_a_page_was_never_gone_and_who_leaves_is_gone_after_a_moment() {
        let (mut room, ann, start) = (Presence::default(), UserId::new(), Instant::now());

        assert_eq!(room.enter(ann), Some(Change::Came(ann)));
        room.leave(ann, start);
        assert_eq!(room.enter(ann), None);
        assert_eq!(room.expire(at(start, 10)), []);
        room.leave(ann, at(start, 10));
        assert_eq!(room.expire(at(start, 12)), []);
        assert_eq!(room.expire(at(start, 14)), [Change::Went(ann)]);
        assert_eq!(room.all(), BTreeSet::new());
    }

    #[test]
    fn a_user_at_two_replicas_is_there_until_both_have_let_go() {
        let (mut room, ann, start) = (Presence::default(), UserId::new(), Instant::now());
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());

        assert_eq!(room.told(one, &Change::Came(ann), start), Some(Change::Came(ann)));
        assert_eq!(room.told_all(other, HashSet::from([ann]), start), []);
        assert_eq!(room.told(one, &Change::Went(ann), start), None);
        assert_eq!(room.told_all(other, HashSet::new(), start), [Change::Went(ann)]);
    }

    #[test]
    fn what_a_replica_told_that_died_runs_out() {
        let (mut room, ann, start) = (Presence::default(), UserId::new(), Instant::now());

        room.told_all(Uuid::now_v7(), HashSet::from([ann]), start);

        assert_eq!(room.expire(at(start, 49)), []);
        assert_eq!(room.expire(at(start, 50)), [Change::Went(ann)]);
    }
}

//! Counts what a replica carries at one time, in all and of each user, and refuses what would be too many: WebSockets,
//! uploads.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use irongate_shared::id::UserId;

/// How many there are of something: at this replica, and of each user.
#[derive(Default)]
pub(crate) struct Census {
    all: AtomicUsize,
    users: Mutex<HashMap<UserId, usize>>,
}

/// Why there is no place for another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    Replica,
    User,
}

/// A place in the census; leaving gives it back.
pub(crate) struct Place {
    census: Arc<Census>,
    user: UserId,
}

impl Census {
    pub(crate) fn enter(
        self: &Arc<Self>,
        user: UserId,
        most: usize,
        most_of_user: usize,
    ) -> Result<Place, NoPlace> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if self.all.load(Ordering::Relaxed) >= most {
            return Err(NoPlace::Replica);
        }
        let theirs = users.entry(user).or_default();
        if *theirs >= most_of_user {
            return Err(NoPlace::User);
        }
        *theirs += 1;
        self.all.fetch_add(1, Ordering::Relaxed);
        Ok(Place { census: Arc::clone(self), user })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut users = self.census.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(theirs) = users.get_mut(&self.user) {
            *theirs -= 1;
            if *theirs == 0 {
                users.remove(&self.user);
            }
        }
        self.census.all.fetch_sub(1, Ordering::Relaxed);
    }
}

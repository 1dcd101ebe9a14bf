//! Profiles that this process has written down already, so that not every connection writes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use irongate_shared::id::UserId;

use crate::room::Profile;

#[derive(Default)]
pub(super) struct Met(Mutex<HashMap<UserId, Profile>>);

impl Met {
    /// When full it is emptied: each user costs one look at the database again.
    const CAPACITY: usize = 20_000;

    pub(super) fn knows(&self, profile: &Profile) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&profile.id) == Some(profile)
    }

    pub(super) fn remember(&self, profile: Profile) {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if met.len() >= Self::CAPACITY {
            met.clear();
        }
        met.insert(profile.id, profile);
    }
}

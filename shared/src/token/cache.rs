//! Tokens whose signature and claims were found right.

use std::{collections::HashMap, sync::Arc};

use super::Identity;

/// The SHA-256 of a token: a memory dump of the cache signs nobody in.
pub(super) type Fingerprint = [u8; 32];

/// A bounded memory in two generations: when the young one is full, the old one goes and the young one ages. What is
/// in use moves back to the young one, so a flood of one-time tokens cannot push it out at once.
///
/// Failures are not remembered: an attacker chooses them.
pub(super) struct SeenTokens {
    young: HashMap<Fingerprint, Arc<Identity>>,
    old: HashMap<Fingerprint, Arc<Identity>>,
}

impl SeenTokens {
    /// Per generation; an entry takes about 300 bytes.
    const CAPACITY: usize = 8192;

    pub(super) fn new() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn get(&mut self, token: &Fingerprint) -> Option<Arc<Identity>> {
        if let Some(identity) = self.young.get(token) {
            return Some(Arc::clone(identity));
        }
        let identity = self.old.remove(token)?;
        self.insert(*token, Arc::clone(&identity));
        Some(identity)
    }

    pub(super) fn insert(&mut self, token: Fingerprint, identity: Arc<Identity>) {
        if self.young.len() >= Self::CAPACITY {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, identity);
    }

    /// Forgets everything, when a key stops to be valid.
    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

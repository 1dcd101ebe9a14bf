//! What user-svc tells the other services, and what it hears from auth-svc.

use std::sync::Arc;

use irongate_shared::{
    account::{AccountEvent, EventId, key},
    db::{Db, DbError},
    id::UserId,
    outbox::{self, Route},
};

use crate::{
    account::{Accounts, ChangeError, IfMatch},
    store::users::UserRow,
};

/// Who is told of every change of an account.
pub(crate) const ROUTES: [Route; 2] = [
    Route { source: "user-svc", destination: "auth-svc", path: "/auth/events" },
    Route { source: "user-svc", destination: "chat-svc", path: "/chat/events" },
];

/// Tells the other services what an account is like now, in the caller's transaction.
pub(crate) fn publish(db: &mut Db, user: &UserRow, actor: Option<UserId>) -> Result<(), DbError> {
    // Events leave in order of their ids. The time of a version is always later than that of the one before, the clock
    // of the machine that makes the id need not be: two replicas may change one account.
    let id = EventId::at(user.updated_at_ms);
    let event = AccountEvent::AccountChanged {
        id,
        user: user.document(),
        status: user.status(),
        version: user.version,
        actor,
        at: user.updated_at_ms,
    };
    let body = serde_json::to_string(&event).unwrap_or_default();
    outbox::enqueue(db, &ROUTES, id, user.id, user.version, &body, user.updated_at_ms)
}

impl Accounts {
    /// Takes in what another service tells. Told twice, it changes nothing.
    pub(crate) async fn take_in(&self, event: AccountEvent) -> Result<(), ChangeError> {
        match event {
            AccountEvent::EmailVerified { user, email, .. } => {
                let verified = self.change(user, IfMatch::Any, None, move |user| {
                    // The address may have been changed since.
                    if user.email_key == key(&email) {
                        user.email_verified = true;
                    }
                });
                match verified.await {
                    // Deleted meanwhile: nothing to remember.
                    Ok(_) | Err(ChangeError::NoSuchUser) => Ok(()),
                    Err(why) => Err(why),
                }
            }
            // Our own word.
            AccountEvent::AccountChanged { .. } => Ok(()),
        }
    }

    /// Has what was just committed delivered at once.
    pub(crate) fn wake_deliveries(&self) {
        self.wake.iter().for_each(|wake| wake.notify_one());
    }
}

/// Wakes the delivery of each route.
pub(crate) type Wakes = [Arc<tokio::sync::Notify>; ROUTES.len()];

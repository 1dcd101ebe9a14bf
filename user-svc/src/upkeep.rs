//! Erases for good, some time later, what users deleted.

use std::{sync::Arc, time::Duration};

use irongate_shared::{
    account::{AccountEvent, AccountStatus, EventId, User},
    clock::Timestamp,
    db::{Db, DbError},
    outbox,
};
use tokio_util::sync::CancellationToken;

use crate::{
    account::Accounts,
    events::ROUTES,
    store::users::{self, UserRow},
};

const EVERY: Duration = Duration::from_secs(600);

/// How many are erased in one transaction.
const BATCH: i64 = 100;

pub(crate) async fn run(accounts: Arc<Accounts>, kept: Duration, shutdown: CancellationToken) {
    loop {
        if let Err(why) = erase_deleted(&accounts, kept).await {
            tracing::warn!(reason = %why, "deleted accounts could not be erased; trying again later");
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

async fn erase_deleted(accounts: &Accounts, kept: Duration) -> Result<(), DbError> {
    let now = accounts.clock.now();
    loop {
        let erased = accounts
            .database
            .write(move |db| {
                let due = users::deleted_before(db, now - kept, BATCH)?;
                for user in &due {
                    erase(db, user, now)?;
                }
                Ok::<_, DbError>(due.len())
            })
            .await?;
        if erased == 0 {
            return Ok(());
        }
        tracing::info!(accounts = erased, "erased deleted accounts");
        accounts.wake_deliveries();
    }
}

/// Deletes the row and all that hangs on it, and has the others do the same.
fn erase(db: &mut Db, user: &UserRow, now: Timestamp) -> Result<(), DbError> {
    if !users::erase(db, user.id)? {
        // Another replica was first, and tells of it.
        return Ok(());
    }
    // Later than all that was told before, see `events::publish`.
    let at = now.max(user.updated_at_ms + Duration::from_millis(1));
    let (id, version) = (EventId::at(at), user.version + 1);
    let nobody = User {
        username: String::new(),
        email: String::new(),
        email_verified: false,
        display_name: String::new(),
        bio: String::new(),
        avatar_url: None,
        ..user.document()
    };
    let event = AccountEvent::AccountChanged {
        id,
        user: nobody,
        status: AccountStatus::Erased,
        version,
        actor: None,
        at,
    };
    let body = serde_json::to_string(&event).unwrap_or_default();
    outbox::enqueue(db, &ROUTES, id, user.id, version, &body, now)
}

//! What user-svc tells: the copy of accounts that signing in takes.

use irongate_shared::{
    account::{AccountEvent, AccountStatus, EventId, User, key},
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
    outbox::{self, Route},
    token::revocation,
};

use crate::{
    Auth,
    audit::{self, Event},
    mail::{self, Purpose},
    session,
    store::{credentials, mails, mfa, sessions},
};

/// Whom auth-svc tells what it knows first.
pub(crate) const TO_USERS: Route =
    Route { source: "auth-svc", destination: "user-svc", path: "/user/events" };

impl Auth {
    /// Takes an event in. One that came before changes nothing.
    pub(crate) async fn take_in(&self, event: AccountEvent) -> Result<(), DbError> {
        match event {
            AccountEvent::AccountChanged { id, user, status, version, actor, at } => {
                self.account_changed(Change { id, user, status, version, actor, at }).await
            }
            // Our own word.
            AccountEvent::EmailVerified { .. } => Ok(()),
        }
    }

    async fn account_changed(&self, change: Change) -> Result<(), DbError> {
        let (now, settings, origin) = (self.clock.now(), self.settings.clone(), self.origin.clone());
        self.database
            .write(move |db| {
                let id = change.user.id;
                let Some(known) = credentials::of(db, id)? else { return Ok(()) };
                let before = known.user().ok();
                let is_news = change.version > known.account_version;
                if is_news {
                    if change.status == AccountStatus::Erased {
                        return erase(db, id, &change, now, &settings);
                    }
                    credentials::apply(db, &change.user, change.status, change.version)?;
                    change.record(db, before.as_ref(), known.status())?;
                    if change.status != AccountStatus::Active {
                        session::end_all_of(db, id, None, now, &settings)?;
                    }
                }
                // user-svc barred the user until this moment.
                let run_out = session::last_token_runs_out(now, &settings);
                match change.status {
                    // From here on tokens say what is true now.
                    AccountStatus::Active => revocation::lift(db, id, change.at, now, run_out)?,
                    // From here on none is made.
                    _ => revocation::end_bar(db, id, change.at, run_out)?,
                }
                let address_is_new =
                    before.is_none_or(|before| key(&before.email) != key(&change.user.email));
                let unproven = !change.user.email_verified && change.status == AccountStatus::Active;
                let registered = change.version == 1 && !mails::has_link(db, id, now)?;
                if unproven && ((is_news && address_is_new) || registered) {
                    mail::send_link(db, Purpose::VerifyEmail, &change.user, &origin, now)?;
                }
                Ok(())
            })
            .await
    }
}

struct Change {
    id: EventId,
    user: User,
    status: AccountStatus,
    version: i64,
    actor: Option<UserId>,
    at: Timestamp,
}

impl Change {
    /// What of it belongs into the audit log.
    fn record(&self, db: &mut Db, before: Option<&User>, status: AccountStatus) -> Result<(), DbError> {
        let event = match (status, self.status) {
            (before, after) if before != after => match after {
                AccountStatus::Active => Some(Event::Unlocked),
                AccountStatus::Locked => Some(Event::Locked),
                AccountStatus::Deleted | AccountStatus::Erased => Some(Event::Deleted),
            },
            _ if before.is_some_and(|before| before.role != self.user.role) => Some(Event::RoleChanged),
            _ if before.is_some_and(|before| before.email != self.user.email) => Some(Event::EmailChanged),
            _ => None,
        };
        match event {
            Some(event) => audit::record_as(db, self.id, event, self.user.id, self.actor, self.at),
            None => Ok(()),
        }
    }
}

fn erase(
    db: &mut Db,
    user: UserId,
    change: &Change,
    now: Timestamp,
    settings: &crate::Settings,
) -> Result<(), DbError> {
    session::end_all_of(db, user, None, now, settings)?;
    revocation::end_bar(db, user, change.at, session::last_token_runs_out(now, settings))?;
    sessions::delete_all_of(db, user)?;
    mfa::delete_all_of(db, user)?;
    mails::delete_all_links_of(db, user)?;
    audit::forget(db, user)?;
    credentials::delete(db, user)?;
    audit::record_as(db, change.id, Event::Erased, user, change.actor, change.at)
}

/// Tells user-svc that an address is its user's, in the caller's transaction.
pub(crate) fn email_verified(db: &mut Db, user: UserId, email: &str, at: Timestamp) -> Result<(), DbError> {
    let id = EventId::at(at);
    let event = AccountEvent::EmailVerified { id, user, email: email.to_owned(), at };
    let body = serde_json::to_string(&event).unwrap_or_default();
    outbox::enqueue(db, &[TO_USERS], id, user, at.as_millis(), &body, at)
}

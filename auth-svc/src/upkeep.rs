//! Deletes what has run out, every now and then: tables do not grow for ever.

use std::{sync::Arc, time::Duration};

use irongate_shared::{db::DbError, token::revocation};
use tokio_util::sync::CancellationToken;

use crate::{
    Auth,
    store::{audit_log, mails, mfa, passkeys, refresh_tokens, sessions, signing_keys, throttles},
};

const EVERY: Duration = Duration::from_secs(600);

/// How long a session that ended is still known: its last refresh token, used again, is still told from nonsense.
const KEPT_AFTER_END: Duration = Duration::from_secs(7 * 86_400);

pub(crate) async fn run(auth: Arc<Auth>, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Err(why) = once(&auth).await {
            tracing::warn!(reason = %why, "what has run out could not be deleted; trying again later");
        }
    }
}

async fn once(auth: &Auth) -> Result<(), DbError> {
    let now = auth.clock.now();
    let audited = now - auth.settings.audit_retention.get();
    auth.database
        .write(move |db| {
            let deleted = refresh_tokens::delete_expired(db, now - KEPT_AFTER_END)?
                + sessions::delete_dead(db, now - KEPT_AFTER_END)?
                + revocation::purge(db, now)?
                + signing_keys::delete_expired(db, now)?
                + throttles::delete_expired(db, now)?
                + mails::delete_expired_links(db, now)?
                + mfa::delete_expired_challenges(db, now)?
                + passkeys::delete_expired_ceremonies(db, now)?
                + audit_log::delete_before(db, audited)?;
            if deleted > 0 {
                tracing::debug!(rows = deleted, "deleted what has run out");
            }
            Ok(())
        })
        .await
}

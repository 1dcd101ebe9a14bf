//! What happened to whose account, and from where: for the user, for administrators, for the day after.
//!
//! An entry is written in the transaction that did the thing: what is not in the log did not happen.

use irongate_shared::{
    account::EventId,
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
    service::Client,
};

use crate::{
    Auth,
    passkey::Refusal,
    store::audit_log::{self, AuditRow},
};

/// Everything that is kept. The texts are stable: programs compare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    SignedIn,
    SignInFailed,
    SignedOut,
    SignedOutEverywhere,
    SessionEnded,
    /// A refresh token came back after it was replaced: somebody has a copy.
    RefreshTokenReused,
    PasswordChanged,
    PasswordReset,
    EmailVerified,
    SecondFactorAdded,
    SecondFactorRemoved,
    RecoveryCodesRenewed,
    PasskeyAdded,
    PasskeyRemoved,
    /// The counter of a passkey went back: somebody has a copy.
    PasskeyCopied,
    EmailChanged,
    RoleChanged,
    Locked,
    Unlocked,
    Deleted,
    Erased,
}

impl Event {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::SignInFailed => "sign_in_failed",
            Self::SignedOut => "signed_out",
            Self::SignedOutEverywhere => "signed_out_everywhere",
            Self::SessionEnded => "session_ended",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::EmailVerified => "email_verified",
            Self::SecondFactorAdded => "second_factor_added",
            Self::SecondFactorRemoved => "second_factor_removed",
            Self::RecoveryCodesRenewed => "recovery_codes_renewed",
            Self::PasskeyAdded => "passkey_added",
            Self::PasskeyRemoved => "passkey_removed",
            Self::PasskeyCopied => "passkey_copied",
            Self::EmailChanged => "email_changed",
            Self::RoleChanged => "role_changed",
            Self::Locked => "locked",
            Self::Unlocked => "unlocked",
            Self::Deleted => "deleted",
            Self::Erased => "erased",
        }
    }
}

/// Writes an entry about `user`, who did it themselves.
pub(crate) fn record(
    db: &mut Db,
    event: Event,
    user: Option<UserId>,
    client: &Client,
    now: Timestamp,
) -> Result<(), DbError> {
    audit_log::insert(
        db,
        &AuditRow {
            id: uuid::Uuid::now_v7().to_string(),
            user_id: user,
            actor_id: None,
            event: event.as_str().to_owned(),
            ip: client.address(),
            user_agent: client.user_agent.clone(),
            created_at_ms: now,
        },
    )
}

/// Writes an entry about a passkey that did not sign in. Nobody's is told of: only who holds a key can be named.
pub(crate) fn record_refused_passkey(
    db: &mut Db,
    refusal: &Refusal,
    client: &Client,
    now: Timestamp,
) -> Result<(), DbError> {
    let (event, user) = match refusal {
        Refusal::Copied(user) => (Event::PasskeyCopied, Some(*user)),
        Refusal::Unknown | Refusal::Wrong(_) => (Event::SignInFailed, None),
    };
    record(db, event, user, client, now)
}

/// Writes an entry about what another service told; it has the id of that event.
pub(crate) fn record_as(
    db: &mut Db,
    id: EventId,
    event: Event,
    user: UserId,
    actor: Option<UserId>,
    at: Timestamp,
) -> Result<(), DbError> {
    audit_log::insert(
        db,
        &AuditRow {
            id: id.to_string(),
            user_id: Some(user),
            actor_id: actor,
            event: event.as_str().to_owned(),
            ip: "unknown".to_owned(),
            user_agent: None,
            created_at_ms: at,
        },
    )
}

/// Deletes what is known of an erased user.
pub(crate) fn forget(db: &mut Db, user: UserId) -> Result<(), DbError> {
    audit_log::delete_of(db, user)
}

impl Auth {
    /// The newest entries first, from before the id `before`; of one user, or of all.
    pub(crate) async fn audit_page(
        &self,
        user: Option<UserId>,
        before: Option<String>,
        limit: i64,
    ) -> Result<Vec<AuditRow>, DbError> {
        self.database.read(move |db| audit_log::page(db, user, before.as_deref(), limit)).await
    }
}

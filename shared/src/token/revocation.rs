//! The blacklist: what is refused although its signature and times are right.

use std::{collections::HashMap, time::Duration};

use diesel::{dsl::case_when, prelude::*, upsert::excluded};

use super::Identity;
use crate::{
    clock::Timestamp,
    db::{Db, DbError},
    id::{SessionId, TokenId, UserId},
    on_inner,
};

/// The oldest that a process's copy of the blacklist may be when it accepts a token.
pub const REVOCATION_LAG: Duration = Duration::from_millis(250);

diesel::table! {
    revoked_tokens (kind, subject) {
        kind -> Text,
        subject -> Text,
        not_before_ms -> BigInt,
        revoked_at_ms -> BigInt,
        expires_at_ms -> BigInt,
        seq -> BigInt,
    }
}

diesel::table! {
    revocation_order (one) {
        one -> BigInt,
        seq -> BigInt,
    }
}

/// What to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// One access token: sign out.
    Token(TokenId),
    /// All access tokens of a session: sign out everywhere, a stolen refresh token.
    Session(SessionId),
    /// All of a user's tokens, whenever issued: locked, deleted, another role. Until [`lift`] or [`end_bar`].
    User(UserId),
}

/// Puts `what` on the blacklist, in the caller's transaction, until `expires`: when the last token that it covers has
/// run out. Twice is as good as once.
///
/// From here to the end of the transaction other revocations wait. So that nobody waits in a circle, a transaction that
/// also locks an account, a credential or a throttle does so before, and sessions after.
///
/// # Errors
/// The database's.
pub fn revoke(db: &mut Db, what: Revocation, now: Timestamp, expires: Timestamp) -> Result<(), DbError> {
    let whole = Timestamp::from_millis(i64::MAX);
    let (kind, subject) = match what {
        Revocation::Token(token) => ("token", token.to_string()),
        Revocation::Session(session) => ("session", session.to_string()),
        Revocation::User(user) => ("user", user.to_string()),
    };
    let row = (
        revoked_tokens::kind.eq(kind),
        revoked_tokens::subject.eq(subject),
        revoked_tokens::not_before_ms.eq(whole),
        revoked_tokens::revoked_at_ms.eq(now),
        revoked_tokens::expires_at_ms.eq(expires),
    );
    // What is on the list already stays there at least as long.
    let wider = (
        revoked_tokens::not_before_ms.eq(whole),
        revoked_tokens::revoked_at_ms.eq(now),
        revoked_tokens::expires_at_ms.eq(case_when(
            excluded(revoked_tokens::expires_at_ms).gt(revoked_tokens::expires_at_ms),
            excluded(revoked_tokens::expires_at_ms),
        )
        .otherwise(revoked_tokens::expires_at_ms)),
    );
    on_inner!(db, connection => diesel::insert_into(revoked_tokens::table)
        .values(row)
        .on_conflict((revoked_tokens::kind, revoked_tokens::subject))
        .do_update()
        .set(wider)
        .execute(connection))?;
    Ok(())
}

/// Whether a user is on the blacklist whole: no token may be made for them.
///
/// # Errors
/// The database's.
pub fn is_barred(db: &mut Db, user: UserId, now: Timestamp) -> Result<bool, DbError> {
    let row = row_of(user)
        .filter(revoked_tokens::not_before_ms.gt(now))
        .filter(revoked_tokens::expires_at_ms.gt(now));
    Ok(diesel::select(diesel::dsl::exists(row)).get_result(db)?)
}

/// Takes a user off the blacklist who was put there no later than `as_of`; tokens issued until `now` stay refused until
/// `expires`, when the last of them has run out. A bar that was set later stands: what lifts this one did not know of it.
///
/// `as_of` is by the clock of the service that set the bar, `now` by that of the one that makes tokens.
///
/// # Errors
/// The database's.
pub fn lift(
    db: &mut Db,
    user: UserId,
    as_of: Timestamp,
    now: Timestamp,
    expires: Timestamp,
) -> Result<(), DbError> {
    diesel::update(row_of(user).filter(revoked_tokens::revoked_at_ms.le(as_of)))
        .set((revoked_tokens::not_before_ms.eq(now), revoked_tokens::expires_at_ms.eq(expires)))
        .execute(db)?;
    Ok(())
}

/// Has a bar that was set no later than `as_of` end at `expires`: no more tokens are made for the user, and the last one
/// will have run out. Else everybody who was ever locked or deleted would stay on the list for ever.
///
/// # Errors
/// The database's.
pub fn end_bar(db: &mut Db, user: UserId, as_of: Timestamp, expires: Timestamp) -> Result<(), DbError> {
    diesel::update(row_of(user).filter(revoked_tokens::revoked_at_ms.le(as_of)))
        .set(revoked_tokens::expires_at_ms.eq(expires))
        .execute(db)?;
    Ok(())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(user: UserId) -> _ {
    let subject: String = user.to_string();
    revoked_tokens::table.filter(revoked_tokens::kind.eq("user")).filter(revoked_tokens::subject.eq(subject))
}

/// Deletes what has expired; says how much.
///
/// # Errors
/// The database's.
pub fn purge(db: &mut Db, now: Timestamp) -> Result<usize, DbError> {
    Ok(diesel::delete(revoked_tokens::table.filter(revoked_tokens::expires_at_ms.le(now))).execute(db)?)
}

/// A process's copy of the blacklist.
#[derive(Debug, Default)]
pub(super) struct Blacklist {
    tokens: HashMap<TokenId, Timestamp>,
    sessions: HashMap<SessionId, Timestamp>,
    /// From when on tokens are valid again, and until when it matters.
    users: HashMap<UserId, (Timestamp, Timestamp)>,
    /// Everything up to this number is in.
    seq: i64,
    swept_at: Option<Timestamp>,
}

/// What the database has beyond a copy.
pub(super) struct News {
    rows: Vec<(String, String, Timestamp, Timestamp, i64)>,
    /// The copy is of another past: the database was restored from a backup.
    anew: bool,
}

impl News {
    /// What came after number `seen`; all that counts at `now` for a copy that is empty yet.
    ///
    /// Nothing is missed, however late it is committed: numbers become visible in their order (the migration
    /// `revocation_order` says why).
    pub(super) fn after(db: &mut Db, seen: i64, now: Timestamp) -> Result<Self, DbError> {
        let newest: i64 = revocation_order::table.select(revocation_order::seq).first(db)?;
        let anew = newest < seen;
        let rows = revoked_tokens::table
            .select((
                revoked_tokens::kind,
                revoked_tokens::subject,
                revoked_tokens::not_before_ms,
                revoked_tokens::expires_at_ms,
                revoked_tokens::seq,
            ))
            .into_boxed();
        let rows = if anew || seen == 0 {
            rows.filter(revoked_tokens::expires_at_ms.gt(now)).load(db)?
        } else {
            rows.filter(revoked_tokens::seq.gt(seen)).load(db)?
        };
        Ok(Self { rows, anew })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && !self.anew
    }
}

impl Blacklist {
    /// How often what has expired is thrown out.
    const SWEPT_EVERY: Duration = Duration::from_secs(60);

    pub(super) fn seq(&self) -> i64 {
        self.seq
    }

    pub(super) fn take_in(&mut self, news: News, now: Timestamp) {
        if news.anew {
            *self = Self::default();
        }
        for (kind, subject, not_before, expires, seq) in news.rows {
            self.seq = self.seq.max(seq);
            // The schema knows three kinds, and only `revoke` writes subjects.
            match kind.as_str() {
                "token" => self.tokens.extend(subject.parse::<TokenId>().map(|token| (token, expires))),
                "session" => self.sessions.extend(subject.parse::<SessionId>().map(|id| (id, expires))),
                _ => self.users.extend(subject.parse::<UserId>().map(|user| (user, (not_before, expires)))),
            }
        }
        if self.swept_at.is_none_or(|at| now.since(at) > Self::SWEPT_EVERY) {
            self.swept_at = Some(now);
            self.tokens.retain(|_, expires| *expires > now);
            self.sessions.retain(|_, expires| *expires > now);
            self.users.retain(|_, (_, expires)| *expires > now);
        }
    }

    pub(super) fn refuses(&self, identity: &Identity) -> bool {
        self.tokens.contains_key(&identity.token)
            || self.sessions.contains_key(&identity.session)
            || self.users.get(&identity.user).is_some_and(|(not_before, _)| identity.issued_at <= *not_before)
    }
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection as _;
    use irongate_test_servers::{Postgres, eventually};

    use super::*;
    use crate::{clock::Clock, config::DatabaseUrl, db::Database};

    /// Runs the same test on an empty database of each kind.
    async fn on_both<F>(test: impl Fn(Database, DatabaseUrl) -> F)
    where
        F: Future<Output = ()>,
    {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = DatabaseUrl::Sqlite(folder.path().join("irongate.db"));
        test(Database::open(&sqlite, 4).await.unwrap(), sqlite).await;
        let database = Postgres::shared().database();
        let postgres: DatabaseUrl = database.url().parse().unwrap();
        test(Database::open(&postgres, 4).await.unwrap(), postgres).await;
    }

    fn someone(now: Timestamp) -> Identity {
        Identity {
            user: UserId::at(now),
            session: SessionId::at(now),
            token: TokenId::at(now),
            roles: Vec::new(),
            scopes: Vec::new(),
            username: "ann".to_owned(),
            display_name: "Ann".to_owned(),
            avatar_url: None,
            issued_at: now,
            expires_at: now + Duration::from_secs(600),
        }
    }

    /// Puts tokens that nobody has on the blacklist, a thousand in each transaction.
    async fn fill(database: &Database, thousands: u32, expires: Timestamp) {
        for thousand in 0..thousands {
            let (from, to) = (thousand * 1000, thousand * 1000 + 999);
            let until = expires.as_millis();
            let write = move |db: &mut Db| -> Result<(), DbError> {
                let columns =
                    "INSERT INTO revoked_tokens (kind, subject, not_before_ms, revoked_at_ms, expires_at_ms)";
                match db {
                    Db::Pg(pg) => pg.batch_execute(&format!(
                        "{columns} SELECT 'token', '00000000-0000-7000-8000-' || lpad(i::text, 12, '0'), 0, 0, {until}
                         FROM generate_series({from}, {to}) i"
                    ))?,
                    Db::Sqlite(sqlite) => sqlite.batch_execute(&format!(
                        "WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to})
                         {columns} SELECT 'token', printf('00000000-0000-7000-8000-%012d', i), 0, 0, {until} FROM n"
                    ))?,
                }
                Ok(())
            };
            database.write(write).await.unwrap();
        }
    }

    async fn news(database: &Database, seen: i64, now: Timestamp) -> News {
        database.read(move |db| News::after(db, seen, now)).await.unwrap()
    }

    #[tokio::test]
    async fn a_reading_brings_what_is_new_however_long_the_list_is() {
        on_both(|database, _| async move {
            let now = Clock::system().now();
            let (ann, later) = (someone(now), now + Duration::from_secs(600));
            fill(&database, 100, later).await;
            let mut list = Blacklist::default();
            list.take_in(news(&database, 0, now).await, now);
            assert_eq!((list.tokens.len(), list.seq()), (100_000, 100_000));

            let began = std::time::Instant::now();
            for _ in 0..100 {
                assert!(news(&database, list.seq(), now).await.is_empty());
            }
            eprintln!("a reading with 100,000 entries and no news: {:?}", began.elapsed() / 100);
            database.write(move |db| revoke(db, Revocation::Session(ann.session), now, later)).await.unwrap();

            let new = news(&database, list.seq(), now).await;
            assert_eq!(new.rows.len(), 1);
            assert!(!list.refuses(&ann));
            list.take_in(new, now);
            assert!(list.refuses(&ann));
            list.take_in(news(&database, list.seq(), now).await, later + Duration::from_secs(1));
            assert!(list.tokens.is_empty() && list.sessions.is_empty(), "what has expired is thrown out");
        })
        .await;
    }

    #[tokio::test]
    async fn a_user_who_is_taken_off_the_list_is_news_too() {
        on_both(|database, _| async move {
            let now = Clock::system().now();
            let (ann, later) = (someone(now), now + Duration::from_secs(600));
            let mut list = Blacklist::default();
            database.write(move |db| revoke(db, Revocation::User(ann.user), now, later)).await.unwrap();
            list.take_in(news(&database, 0, now).await, now);
            let next = Identity { issued_at: now + Duration::from_secs(2), ..ann.clone() };
            assert!(list.refuses(&next));

            database
                .write(move |db| lift(db, ann.user, now, now + Duration::from_secs(1), later))
                .await
                .unwrap();
            list.take_in(news(&database, list.seq(), now).await, now);

            assert!(list.refuses(&ann), "an old token stays refused");
            assert!(!list.refuses(&next));
        })
        .await;
    }

    #[tokio::test]
    async fn a_database_that_was_restored_is_read_anew() {
        on_both(|database, _| async move {
            let now = Clock::system().now();
            let (ann, later) = (someone(now), now + Duration::from_secs(600));
            let mut list = Blacklist::default();
            fill(&database, 1, later).await;
            list.take_in(news(&database, 0, now).await, now);

            let restore = "DELETE FROM revoked_tokens; UPDATE revocation_order SET seq = 7";
            database.write(move |db| Ok::<_, DbError>(db.batch_execute(restore)?)).await.unwrap();
            database.write(move |db| revoke(db, Revocation::Token(ann.token), now, later)).await.unwrap();
            list.take_in(news(&database, list.seq(), now).await, now);

            assert!(list.refuses(&ann));
            assert_eq!((list.tokens.len(), list.seq()), (1, 8));
        })
        .await;
    }

    /// Were numbers drawn without the lock, the second revocation would be seen first, and the first one never.
    #[tokio::test]
    async fn a_revocation_that_is_committed_late_is_not_missed() {
        let server = Postgres::shared().database();
        let url: DatabaseUrl = server.url().parse().unwrap();
        let database = Database::open(&url, 4).await.unwrap();
        let now = Clock::system().now();
        let (slow, quick, later) = (someone(now), someone(now), now + Duration::from_secs(600));
        let (may_end, wait) = std::sync::mpsc::channel::<()>();
        let (began, has_begun) = tokio::sync::oneshot::channel();
        let (first, second) = (database.clone(), database.clone());
        let (slow_token, quick_token) = (slow.token, quick.token);
        let first = tokio::spawn(async move {
            let write = move |db: &mut Db| {
                revoke(db, Revocation::Token(slow_token), now, later)?;
                let _ = began.send(());
                let _ = wait.recv();
                Ok::<_, DbError>(())
            };
            first.write(write).await
        });
        has_begun.await.unwrap();
        let second = tokio::spawn(async move {
            second.write(move |db| revoke(db, Revocation::Token(quick_token), now, later)).await
        });
        eventually("the second revocation waits", Duration::from_secs(20), || async {
            let count = |db: &mut Db| Ok::<_, DbError>(diesel::sql_query(WAITING).get_result::<Count>(db)?);
            database.read(count).await.unwrap().n > 0
        })
        .await;

        let mut list = Blacklist::default();
        list.take_in(news(&database, 0, now).await, now);
        assert!(!list.refuses(&slow) && !list.refuses(&quick));
        may_end.send(()).unwrap();
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();

        list.take_in(news(&database, list.seq(), now).await, now);
        assert!(list.refuses(&slow) && list.refuses(&quick));
    }

    const WAITING: &str = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM pg_stat_activity
                           WHERE datname = current_database() AND wait_event_type = 'Lock'";

    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
}

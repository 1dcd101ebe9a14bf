//! How a service tells another what happened: surely, in order per user, at least once.
//!
//! [`enqueue`] writes the event in the transaction that did the thing; a worker ([`Deliveries::run`]) posts it through
//! the gateway until it is accepted. One process delivers for a source to a destination at a time, by a lease in the
//! database; another takes over when that one is gone.

use std::{collections::HashSet, sync::Arc, time::Duration};

use diesel::prelude::*;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    account::EventId,
    clock::{Clock, Timestamp},
    db::{Database, Db, DbError},
    id::UserId,
    on_inner,
    peer::{Peer, PeerError},
};

/// Between two looks at the table when nothing wakes the worker: another replica may have written.
const IDLE: Duration = Duration::from_secs(1);

/// Between two attempts when the other side does not accept: twice as long each time, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a silent holder keeps the lease: longer than a request may take.
const LEASE: Duration = Duration::from_secs(15);

/// How many events are read at once.
const BATCH: i64 = 100;

diesel::table! {
    outbox (id, destination) {
        id -> Text,
        source -> Text,
        destination -> Text,
        user_id -> Text,
        version -> BigInt,
        body -> Text,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    outbox_leases (route) {
        route -> Text,
        holder -> Text,
        expires_at_ms -> BigInt,
    }
}

/// From whom to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub source: &'static str,
    pub destination: &'static str,
    /// Where the destination takes events.
    pub path: &'static str,
}

/// Writes an event about `user` for each of `routes`, in the caller's transaction. Events leave in order of `id`: those
/// of one user are in order when each id is made as of a later moment than the one before ([`EventId::at`]), whichever
/// process makes it. `version` says the same of the rows.
///
/// # Errors
/// The database's.
pub fn enqueue(
    db: &mut Db,
    routes: &[Route],
    id: EventId,
    user: UserId,
    version: i64,
    body: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    for route in routes {
        diesel::insert_into(outbox::table)
            .values((
                outbox::id.eq(id),
                outbox::source.eq(route.source),
                outbox::destination.eq(route.destination),
                outbox::user_id.eq(user),
                outbox::version.eq(version),
                outbox::body.eq(body),
                outbox::created_at_ms.eq(now),
            ))
            .execute(db)?;
    }
    Ok(())
}

#[derive(Debug, Clone, Queryable)]
struct EventRow {
    id: EventId,
    user_id: UserId,
    body: String,
}

/// Delivers the events of one route.
pub struct Deliveries {
    pub route: Route,
    pub database: Database,
    pub clock: Clock,
    pub peer: Arc<Peer>,
    /// Notified after a commit that wrote events.
    pub wake: Arc<Notify>,
}

/// How a round over the waiting events ended.
enum Round {
    AllDelivered,
    /// The other side is away, or did not accept some.
    SomeWait,
    /// Another process delivers.
    NotOurs,
}

impl Deliveries {
    /// Delivers until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let holder = uuid::Uuid::now_v7().to_string();
        let mut pause = FIRST_PAUSE;
        while !shutdown.is_cancelled() {
            let wait = match self.round(&holder).await {
                Ok(Round::AllDelivered | Round::NotOurs) => {
                    pause = FIRST_PAUSE;
                    IDLE
                }
                Ok(Round::SomeWait) => {
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    pause / 2
                }
                Err(why) => {
                    tracing::debug!(reason = %why, "the outbox could not be read");
                    IDLE
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.release(&holder).await;
    }

    async fn round(&self, holder: &str) -> Result<Round, DbError> {
        let mut held_back: HashSet<UserId> = HashSet::new();
        let mut after: Option<EventId> = None;
        loop {
            let events = self.waiting(after).await?;
            let Some(last) = events.last() else { break };
            after = Some(last.id);
            for event in events {
                // Order per user: what comes after an event that waits, waits.
                if held_back.contains(&event.user_id) {
                    continue;
                }
                if !self.lease(holder).await? {
                    return Ok(Round::NotOurs);
                }
                match self.deliver(&event).await {
                    Ok(()) => self.delete(event.id).await?,
                    // It would meet every event.
                    Err(why) if why.is_passing() => {
                        tracing::debug!(to = self.route.destination, reason = %why, "events wait");
                        return Ok(Round::SomeWait);
                    }
                    Err(why) => {
                        tracing::warn!(to = self.route.destination, event = %event.id, reason = %why, "an event is not accepted");
                        held_back.insert(event.user_id);
                    }
                }
            }
        }
        Ok(if held_back.is_empty() { Round::AllDelivered } else { Round::SomeWait })
    }

    async fn deliver(&self, event: &EventRow) -> Result<(), PeerError> {
        let body: serde_json::Value = serde_json::from_str(&event.body).unwrap_or_default();
        self.peer.post(self.route.path, &body).await.map(drop)
    }

    async fn waiting(&self, after: Option<EventId>) -> Result<Vec<EventRow>, DbError> {
        let route = self.route;
        self.database
            .read(move |db| {
                let mut rows = outbox::table
                    .filter(outbox::source.eq(route.source))
                    .filter(outbox::destination.eq(route.destination))
                    .order(outbox::id)
                    .limit(BATCH)
                    .select((outbox::id, outbox::user_id, outbox::body))
                    .into_boxed();
                if let Some(after) = after {
                    rows = rows.filter(outbox::id.gt(after));
                }
                Ok(rows.load(db)?)
            })
            .await
    }

    async fn delete(&self, id: EventId) -> Result<(), DbError> {
        let destination = self.route.destination;
        self.database
            .write(move |db| {
                diesel::delete(outbox::table.find((id, destination))).execute(db)?;
                Ok(())
            })
            .await
    }

    /// Takes or renews the lease; says whether we hold it.
    async fn lease(&self, holder: &str) -> Result<bool, DbError> {
        let (name, holder, now) = (self.name(), holder.to_owned(), self.clock.now());
        self.database
            .write(move |db| {
                let held: Option<(String, Timestamp)> = outbox_leases::table
                    .find(&name)
                    .select((outbox_leases::holder, outbox_leases::expires_at_ms))
                    .first(db)
                    .optional()?;
                match held {
                    Some((by, until)) if by != holder && until > now => return Ok(false),
                    // Renewed when half of it is gone: not a write for every event.
                    Some((by, until)) if by == holder && until > now + LEASE / 2 => return Ok(true),
                    Some(_) | None => {}
                }
                let row = (
                    outbox_leases::route.eq(&name),
                    outbox_leases::holder.eq(&holder),
                    outbox_leases::expires_at_ms.eq(now + LEASE),
                );
                let renewed =
                    (outbox_leases::holder.eq(&holder), outbox_leases::expires_at_ms.eq(now + LEASE));
                let free = outbox_leases::holder.eq(&holder).or(outbox_leases::expires_at_ms.le(now));
                let taken = on_inner!(db, connection => {
                    use diesel::query_dsl::methods::FilterDsl as _;
                    diesel::insert_into(outbox_leases::table)
                        .values(row)
                        .on_conflict(outbox_leases::route)
                        .do_update()
                        .set(renewed)
                        .filter(free)
                        .execute(connection)
                })?;
                Ok(taken > 0)
            })
            .await
    }

    async fn release(&self, holder: &str) {
        let (name, holder) = (self.name(), holder.to_owned());
        let released: Result<(), DbError> = self
            .database
            .write(move |db| {
                let ours = outbox_leases::table.find(name).filter(outbox_leases::holder.eq(holder));
                diesel::delete(ours).execute(db)?;
                Ok(())
            })
            .await;
        if let Err(why) = released {
            tracing::debug!(reason = %why, "the lease runs out by itself");
        }
    }

    fn name(&self) -> String {
        format!("{} to {}", self.route.source, self.route.destination)
    }
}

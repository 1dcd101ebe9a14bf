//! What HTTP and WebSocket both call: one path to the same rules.
//!
//! [`Chat::act`] takes every change to the log; the questions in `ask.rs` read the database. Neither knows how the
//! request came in.

mod ask;
mod met;
mod pace;
mod view;

use std::{sync::Arc, time::Duration};

use irongate_shared::{
    clock::{Clock, Timestamp},
    db::Database,
    id::UserId,
    peer::Peer,
    token::Identity,
};

use met::Met;

pub(crate) use ask::{Around, Entered, MOST_REPLAYED, Scope};
pub(crate) use pace::{NextDue, Pace, Paced};
pub(crate) use view::{BanView, MemberView, Membership, RoomView, UnreadView, Users};

use crate::{
    config::Limits,
    hub::{Hub, Passing},
    log::Log,
    metrics::Metrics,
    people,
    room::{Command, Outcome, Profile, ReadMark, Refused, RoomId, frame},
    store,
};

/// The service behind HTTP and WebSocket. Shared by all workers.
pub(crate) struct Chat {
    pub database: Database,
    pub log: Log,
    pub hub: Hub,
    pub clock: Clock,
    pub metrics: Metrics,
    pub limits: Limits,
    /// Messages, by user and room.
    sends: Paced<(UserId, RoomId)>,
    /// Everything else that is written over HTTP, and searches, by user.
    writes: Paced<UserId>,
    typing: Paced<(UserId, RoomId)>,
    met: Met,
    peer: Peer,
}

impl Chat {
    pub(crate) fn new(
        database: Database,
        log: Log,
        hub: Hub,
        clock: Clock,
        metrics: Metrics,
        peer: Peer,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            database,
            log,
            hub,
            clock,
            metrics,
            sends: Paced::new(Pace::per_second(limits.messages_per_second)),
            writes: Paced::new(Pace::per_second(limits.frames_per_second)),
            typing: Paced::new(Pace::one_every(Duration::from_secs(3))),
            met: Met::default(),
            peer,
            limits,
        })
    }

    /// Does what a user asks of a room. What one caller asks of one room is done in the order of the calls.
    pub(crate) fn act(
        &self,
        room: RoomId,
        by: UserId,
        command: Command,
    ) -> impl Future<Output = Result<Outcome, Refused>> + use<> {
        let now = self.clock.now();
        let paced = match &command {
            Command::Send { .. } => self.sends.admit((by, room), now),
            _ => Ok(()),
        };
        if paced.is_err() {
            self.metrics.rate_limited.inc();
        }
        let hub = matches!(command, Command::Read { .. }).then(|| self.hub.clone());
        let done = paced.is_ok().then(|| self.log.append(room, by, command));
        async move {
            if let Err(retry) = paced {
                return Err(Refused::TooFast { retry });
            }
            let Some(done) = done else { return Ok(Outcome::Done) };
            let outcome = done.await?;
            if let (Outcome::Marked(seq), Some(hub)) = (&outcome, hub) {
                let frame = frame(&ReadMark { room, user: by, seq: *seq });
                let _ = hub.pass(Passing { room, frame });
            }
            Ok(outcome)
        }
    }

    /// Takes in what a user's own token says of the user's name and picture.
    ///
    /// Most tokens say what is known already, and cost nothing then.
    pub(crate) async fn meet(&self, who: &Identity) -> Result<(), Refused> {
        let profile = Profile {
            id: who.user,
            username: who.username.clone(),
            display_name: who.display_name.clone(),
            avatar_url: who.avatar_url.clone(),
        };
        if self.met.knows(&profile) {
            return Ok(());
        }
        self.learn(profile.clone(), who.issued_at).await?;
        self.met.remember(profile);
        Ok(())
    }

    /// Writes down what was told of a user at `at`, and tells everybody whom it concerns.
    pub(crate) async fn learn(&self, profile: Profile, at: Timestamp) -> Result<(), Refused> {
        let told = profile.clone();
        let changed =
            self.database.write(move |db| Ok::<_, Refused>(store::profiles::learn(db, &told, at)?)).await?;
        if changed {
            self.hub.renamed(profile.id, frame(&view::Renamed { user: &profile }));
        }
        Ok(())
    }

    pub(crate) async fn rooms_of(&self, user: UserId) -> Result<Vec<RoomId>, Refused> {
        self.database.read(move |db| Ok(store::members::rooms_of(db, user)?)).await
    }

    /// Sees to it that a user is known who is to be let in somewhere; asks user-svc if need be.
    pub(crate) async fn look_up(&self, user: UserId) -> Result<(), Refused> {
        let known = self.database.read(move |db| Ok::<_, Refused>(store::profiles::find(db, user)?)).await?;
        if known.is_some() {
            return Ok(());
        }
        let found = people::look_up(&self.peer, user).await;
        let profile =
            found.map_err(|why| Refused::Unavailable(format!("{why:#}")))?.ok_or(Refused::NoSuchUser)?;
        // Older than whatever is told from now on.
        self.learn(profile, self.clock.now()).await
    }

    /// Whether a user may write or search over HTTP at this moment; WebSockets have a pace of their own.
    pub(crate) fn admit(&self, user: UserId) -> Result<(), Refused> {
        self.writes.admit(user, self.clock.now()).map_err(|retry| {
            self.metrics.rate_limited.inc();
            Refused::TooFast { retry }
        })
    }

    /// Tells who follows the room that the user is writing, not too often.
    pub(crate) fn typing(&self, room: RoomId, user: UserId) {
        if self.typing.admit((user, room), self.clock.now()).is_ok() {
            let frame = frame(&view::Typing { room, user });
            let _ = self.hub.pass(Passing { room, frame });
        }
    }
}

//! Questions: rooms, members, history, and what a socket needs to follow a room.

use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
};

use super::{BanView, Chat, MemberView, RoomView, UnreadView, Users};
use crate::{
    room::{Event, Kind, Member, Message, Profile, Refused, Role, Room, RoomId, Seq, Words, folded, rules},
    store::{self, messages::Place},
};

/// Unread messages are counted up to here: "99+".
const MOST_UNREAD: i64 = 100;

/// Unread mentions are counted up to here.
const MOST_MENTIONS: i64 = 99;

/// What a client that comes back may have missed; beyond, it loads the newest page instead.
pub(crate) const MOST_REPLAYED: i64 = 500;

/// Rooms up to this size tell a follower of all their members.
const SMALL_ROOM: i64 = 50;

/// Which rooms to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Mine,
    Public,
}

/// Which messages of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Around {
    Newest,
    Before(Seq),
    After(Seq),
    /// As many before it as from it on.
    Seq(Seq),
}

/// What a socket learns of a room that it begins to follow.
#[derive(Debug)]
pub(crate) struct Entered {
    pub role: Role,
    pub last: Seq,
    pub users: Users,
    /// The client missed more than is replayed.
    pub reset: bool,
}

impl Chat {
    pub(crate) async fn room(&self, id: RoomId, user: UserId) -> Result<RoomView, Refused> {
        let now = self.clock.now();
        self.database
            .read(move |db| {
                let (room, member) = visible(db, id, user, now)?;
                view(db, room, member, user)
            })
            .await
    }

    /// A page of rooms, and where the next one begins.
    pub(crate) async fn rooms(
        &self,
        user: UserId,
        scope: Scope,
        search: Option<String>,
        cursor: Option<String>,
        limit: i64,
    ) -> Result<(Vec<RoomView>, Option<String>), Refused> {
        let search = search.map(|search| folded(search.trim())).filter(|search| !search.is_empty());
        let search = search.as_deref().map(str::to_owned);
        self.database
            .read(move |db| {
                let after = cursor.as_deref().map(parse_cursor).transpose()?;
                let rows = match scope {
                    Scope::Mine => {
                        let after = after.map(|(_, id)| id);
                        store::rooms::page_of_user(db, user, search.as_deref(), after, limit)?
                    }
                    Scope::Public => store::rooms::page_of_public(db, user, search.as_deref(), after, limit)?,
                };
                let full = rows.len() == usize::try_from(limit).unwrap_or(0);
                let next = rows.last().filter(|_| full).map(|(room, _)| cursor_after(room));
                let mut views = Vec::new();
                for (room, member) in rows {
                    views.push(view(db, room, member, user)?);
                }
                Ok((views, next))
            })
            .await
    }

    /// A page of the user's rooms with messages that were not read, and where the next one begins.
    pub(crate) async fn unread(
        &self,
        user: UserId,
        after: Option<RoomId>,
        limit: i64,
    ) -> Result<(Vec<UnreadView>, Option<RoomId>), Refused> {
        self.database
            .read(move |db| {
                let ahead = store::rooms::ahead_of(db, user, after, limit)?;
                let full = ahead.len() == usize::try_from(limit).unwrap_or(0);
                let next = ahead.last().filter(|_| full).map(|(room, _)| *room);
                let mut views = Vec::new();
                for (room, read) in ahead {
                    let unread = store::messages::unread(db, room, user, read, MOST_UNREAD)?;
                    let mentions = store::mentions::unread(db, room, user, read, MOST_MENTIONS)?;
                    // What came after may be reactions, or the user's own messages.
                    if unread > 0 {
                        views.push(UnreadView { room, unread, mentions });
                    }
                }
                Ok((views, next))
            })
            .await
    }

    pub(crate) async fn members(
        &self,
        id: RoomId,
        user: UserId,
        after: Option<UserId>,
        limit: i64,
    ) -> Result<Vec<MemberView>, Refused> {
        let now = self.clock.now();
        self.database
            .read(move |db| {
                visible(db, id, user, now)?;
                let page = store::members::page(db, id, after, limit)?;
                Ok(page
                    .into_iter()
                    .map(|(user, member, profile)| MemberView {
                        user: profile.unwrap_or_else(|| Profile::unknown(user)),
                        membership: member.into(),
                    })
                    .collect())
            })
            .await
    }

    /// Who is banned from a room, for those who may ban.
    pub(crate) async fn bans(&self, id: RoomId, user: UserId) -> Result<Vec<BanView>, Refused> {
        let now = self.clock.now();
        self.database
            .read(move |db| {
                let (room, member) = visible(db, id, user, now)?;
                rules::may_moderate(&room, member.as_ref(), None)?;
                let bans = store::bans::of_room(db, id, now)?.into_iter();
                Ok(bans
                    .map(|(ban, profile)| BanView {
                        user: profile.unwrap_or_else(|| Profile::unknown(ban.user)),
                        by: ban.by,
                        reason: ban.reason,
                        until: ban.until,
                        at: ban.at,
                    })
                    .collect())
            })
            .await
    }

    /// Messages of a room, oldest first.
    pub(crate) async fn history(
        &self,
        id: RoomId,
        user: UserId,
        around: Around,
        limit: i64,
    ) -> Result<Vec<Message>, Refused> {
        let now = self.clock.now();
        self.database
            .read(move |db| {
                visible(db, id, user, now)?;
                let mut messages = match around {
                    Around::Newest => store::messages::before(db, id, Seq(i64::MAX), limit)?,
                    Around::Before(seq) => store::messages::before(db, id, seq, limit)?,
                    Around::After(seq) => store::messages::after(db, id, seq, limit)?,
                    Around::Seq(seq) => {
                        let mut messages = store::messages::before(db, id, seq, limit / 2)?;
                        messages.extend(store::messages::after(db, id, seq.previous(), limit - limit / 2)?);
                        messages
                    }
                };
                store::reactions::put_under(db, id, &mut messages)?;
                Ok(messages)
            })
            .await
    }

    /// A page of the messages that hold these words in the user's rooms, or in one of them, and where the next one
    /// begins.
    pub(crate) async fn search(
        &self,
        user: UserId,
        words: Words,
        room: Option<RoomId>,
        cursor: Option<String>,
        limit: i64,
    ) -> Result<(Vec<Message>, Option<String>), Refused> {
        let before = cursor.as_deref().map(parse_place).transpose()?;
        let now = self.clock.now();
        self.database
            .read(move |db| {
                if let Some(id) = room {
                    let (room, member) = visible(db, id, user, now)?;
                    member.ok_or_else(|| rules::stranger(&room))?;
                }
                let mut messages = store::messages::found(db, user, &words, room, before, limit)?;
                for of_room in messages.chunk_by_mut(|one, next| one.room == next.room) {
                    if let Some(Message { room, .. }) = of_room.first() {
                        store::reactions::put_under(db, *room, of_room)?;
                    }
                }
                let full = messages.len() == usize::try_from(limit).unwrap_or(0);
                let next = messages.last().filter(|_| full).map(place_of);
                Ok((messages, next))
            })
            .await
    }

    /// Whether the user may follow the room, and what there is to know before its events. The caller watches the room
    /// already: an event after `last` reaches it one way or the other.
    pub(crate) async fn enter(
        &self,
        id: RoomId,
        user: UserId,
        after: Option<Seq>,
    ) -> Result<Entered, Refused> {
        self.database
            .read(move |db| {
                let found = store::rooms::find_for(db, id, user)?;
                let (room, member) = found.ok_or(Refused::NoSuchRoom)?;
                let member = member.ok_or_else(|| rules::stranger(&room))?;
                let profiles = if room.members <= SMALL_ROOM {
                    let page = store::members::page(db, id, None, SMALL_ROOM)?;
                    page.into_iter().filter_map(|(_, _, profile)| profile).collect()
                } else {
                    let newest = store::messages::before(db, id, Seq(i64::MAX), SMALL_ROOM)?;
                    let mut senders: Vec<_> = newest.iter().map(|message| message.from).collect();
                    senders.sort_unstable();
                    senders.dedup();
                    store::profiles::find_all(db, &senders)?
                };
                let reset = after.is_some_and(|after| {
                    // Ahead of the log: the database was restored from an older copy.
                    after > room.last_seq || room.last_seq.0 - after.0 > MOST_REPLAYED
                });
                Ok(Entered {
                    role: member.role,
                    last: room.last_seq,
                    users: profiles.into_iter().collect(),
                    reset,
                })
            })
            .await
    }

    /// What follows `after` in the log, for a socket that catches up.
    pub(crate) async fn events_after(
        &self,
        room: RoomId,
        after: Seq,
        limit: i64,
    ) -> Result<Vec<Event>, DbError> {
        self.database.read(move |db| Ok(store::log::events_after(db, room, after, limit)?)).await
    }
}

/// The room, if this user may know of it.
fn visible(db: &mut Db, id: RoomId, user: UserId, now: Timestamp) -> Result<(Room, Option<Member>), Refused> {
    let (room, member) = store::rooms::find_for(db, id, user)?.ok_or(Refused::NoSuchRoom)?;
    rules::may_read(&room, member.as_ref())?;
    if member.is_none()
        && let Some(until) = store::bans::in_force(db, id, user, now)?
    {
        return Err(Refused::Banned { until });
    }
    Ok((room, member))
}

fn view(db: &mut Db, room: Room, member: Option<Member>, user: UserId) -> Result<RoomView, Refused> {
    let id = room.id;
    let direct = room.kind == Kind::Direct;
    let mut view = RoomView::of(room, member);
    if let Some(member) = member {
        view.unread = store::messages::unread(db, id, user, member.last_read, MOST_UNREAD)?;
        view.mentions = store::mentions::unread(db, id, user, member.last_read, MOST_MENTIONS)?;
        view.last_message = store::messages::before(db, id, Seq(i64::MAX), 1)?.pop();
    }
    if direct && let Some(peer) = store::members::peer_of(db, id, user)? {
        view.peer = Some(store::profiles::find(db, peer)?.unwrap_or_else(|| Profile::unknown(peer)));
    }
    Ok(view)
}

/// `id`, and for public rooms the name before it: both orders go on from the same text.
fn cursor_after(room: &Room) -> String {
    let name = room.name.as_deref().map(folded).unwrap_or_default();
    format!("{}{name}", room.id)
}

const BAD_CURSOR: Refused =
    Refused::Invalid { field: "cursor", message: "Use the next_cursor of the page before." };

fn parse_cursor(cursor: &str) -> Result<(String, RoomId), Refused> {
    let (id, name) = cursor.split_at_checked(36).ok_or(BAD_CURSOR)?;
    Ok((name.to_owned(), id.parse().map_err(|_| BAD_CURSOR)?))
}

/// It says itself where it is: a message that is gone since leaves no page without a beginning.
fn place_of(message: &Message) -> String {
    format!("{}.{}.{}", message.ts.as_millis(), message.seq.0, message.room)
}

fn parse_place(cursor: &str) -> Result<Place, Refused> {
    let place = || {
        let mut parts = cursor.splitn(3, '.');
        Some(Place {
            at: Timestamp::from_millis(parts.next()?.parse().ok()?),
            seq: Seq(parts.next()?.parse().ok()?),
            room: parts.next()?.parse().ok()?,
        })
    };
    place().ok_or(BAD_CURSOR)
}

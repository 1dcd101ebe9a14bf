//! What clients see of rooms and members.

use std::collections::BTreeMap;

use irongate_shared::{clock::Timestamp, id::UserId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::room::{Kind, Member, Message, Profile, Role, Room, RoomId, Seq};

/// A room as one user sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Room)]
pub(crate) struct RoomView {
    pub id: RoomId,
    pub kind: Kind,
    /// Null for direct rooms.
    pub name: Option<String>,
    pub topic: String,
    /// The seq of the newest event.
    pub last_seq: Seq,
    pub created_at: Timestamp,
    /// The user's own membership; null for a public room that the user is not in.
    pub member: Option<Membership>,
    /// How many members there are.
    pub members: i64,
    /// Messages of others after `last_read_seq`, counted up to 100.
    pub unread: usize,
    /// Unread messages that mention the user, counted up to 99.
    pub mentions: usize,
    /// The other one, for direct rooms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<Profile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_message: Option<Message>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Membership {
    pub role: Role,
    pub last_read_seq: Seq,
    /// Until when the member may not write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
}

impl From<Member> for Membership {
    fn from(member: Member) -> Self {
        Self { role: member.role, last_read_seq: member.last_read, muted_until: member.muted_until }
    }
}

/// Somebody in a room.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberView {
    pub user: Profile,
    #[serde(flatten)]
    pub membership: Membership,
}

/// What a user has not read in a room.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Unread)]
pub(crate) struct UnreadView {
    pub room: RoomId,
    /// Messages of others; 100 means as many or more.
    pub unread: usize,
    /// Those that call the user by name; 99 means as many or more.
    pub mentions: usize,
}

/// A ban in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ban)]
pub(crate) struct BanView {
    pub user: Profile,
    pub by: UserId,
    pub reason: Option<String>,
    /// Null: for good.
    pub until: Option<Timestamp>,
    pub at: Timestamp,
}

impl RoomView {
    pub(crate) fn of(room: Room, member: Option<Member>) -> Self {
        Self {
            id: room.id,
            kind: room.kind,
            name: room.name,
            topic: room.topic,
            last_seq: room.last_seq,
            created_at: room.created_at,
            member: member.map(Membership::from),
            members: room.members,
            unread: 0,
            mentions: 0,
            peer: None,
            last_message: None,
        }
    }
}

/// Profiles by id, as `hello` and `ok` carry them.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Users(BTreeMap<UserId, Face>);

/// A profile without the id.
#[derive(Debug, Serialize)]
pub(crate) struct Face {
    username: String,
    display_name: String,
    avatar_url: Option<String>,
}

impl Users {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Profile> for Users {
    fn from_iter<I: IntoIterator<Item = Profile>>(profiles: I) -> Self {
        let face = |profile: Profile| {
            let Profile { id, username, display_name, avatar_url } = profile;
            (id, Face { username, display_name, avatar_url })
        };
        Self(profiles.into_iter().map(face).collect())
    }
}

#[derive(Serialize)]
#[serde(tag = "t", rename = "typing")]
pub(super) struct Typing {
    pub room: RoomId,
    pub user: UserId,
}

#[derive(Serialize)]
#[serde(tag = "t", rename = "user")]
pub(super) struct Renamed<'a> {
    pub user: &'a Profile,
}

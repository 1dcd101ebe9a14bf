//! Who may do what: pure decisions on what the lane loaded.

use irongate_shared::{clock::Timestamp, id::UserId};

use super::{Kind, Member, Refused, Role, Room};

/// The most members of one room.
pub(crate) const MOST_MEMBERS: i64 = 10_000;

/// What everybody sees of a room that is not theirs: public ones, and nothing of the others.
pub(crate) fn stranger(room: &Room) -> Refused {
    match room.kind {
        Kind::Public => Refused::NotAMember,
        Kind::Private | Kind::Direct => Refused::NoSuchRoom,
    }
}

/// Reading a room's log: its members, and for public rooms everybody.
pub(crate) fn may_read(room: &Room, member: Option<&Member>) -> Result<(), Refused> {
    match (room.kind, member) {
        (Kind::Public, _) | (_, Some(_)) => Ok(()),
        (Kind::Private | Kind::Direct, None) => Err(Refused::NoSuchRoom),
    }
}

/// Writing: messages, edits, reactions.
pub(crate) fn may_write(room: &Room, member: Option<&Member>, now: Timestamp) -> Result<(), Refused> {
    let member = member.ok_or_else(|| stranger(room))?;
    match member.muted_until {
        Some(until) if now < until => Err(Refused::Muted { until }),
        _ => Ok(()),
    }
}

/// Coming in by oneself.
pub(crate) fn may_join(room: &Room) -> Result<(), Refused> {
    match room.kind {
        Kind::Public if room.members >= MOST_MEMBERS => Err(Refused::Full),
        Kind::Public => Ok(()),
        Kind::Private | Kind::Direct => Err(Refused::NoSuchRoom),
    }
}

/// Bringing somebody in.
pub(crate) fn may_invite(room: &Room, by: Option<&Member>) -> Result<(), Refused> {
    by.ok_or_else(|| stranger(room))?;
    match room.kind {
        Kind::Direct => Err(Refused::NotAllowed("A direct conversation stays between two.")),
        Kind::Public | Kind::Private if room.members >= MOST_MEMBERS => Err(Refused::Full),
        Kind::Public | Kind::Private => Ok(()),
    }
}

/// Removing, banning, muting: moderators towards members, owners towards everybody but owners.
pub(crate) fn may_moderate(room: &Room, by: Option<&Member>, target: Option<&Member>) -> Result<(), Refused> {
    let by = by.ok_or_else(|| stranger(room))?;
    if by.role < Role::Moderator {
        return Err(Refused::NotAllowed("Only moderators and owners of the room may do this."));
    }
    match target {
        Some(target) if target.role >= by.role => {
            Err(Refused::NotAllowed("You may do this only to members with a lower role than yours."))
        }
        _ => Ok(()),
    }
}

/// Renaming, deleting, handing out roles.
pub(crate) fn may_own(room: &Room, by: Option<&Member>) -> Result<(), Refused> {
    let by = by.ok_or_else(|| stranger(room))?;
    match (room.kind, by.role) {
        (Kind::Direct, _) => Err(Refused::NotAllowed("A direct conversation has no owner.")),
        (Kind::Public | Kind::Private, Role::Owner) => Ok(()),
        (Kind::Public | Kind::Private, Role::Moderator | Role::Member) => {
            Err(Refused::NotAllowed("Only an owner of the room may do this."))
        }
    }
}

/// Changing what a message says: its sender alone.
pub(crate) fn may_edit(by: UserId, sender: UserId) -> Result<(), Refused> {
    if by == sender { Ok(()) } else { Err(Refused::NotAllowed("Only its sender may change a message.")) }
}

/// Deleting a message: its sender, moderators and owners.
pub(crate) fn may_delete(by: UserId, role: Role, sender: UserId) -> Result<(), Refused> {
    if by == sender || role >= Role::Moderator {
        Ok(())
    } else {
        Err(Refused::NotAllowed("Only its sender and the room's moderators may delete a message."))
    }
}

#[cfg(test)]
mod tests {
    use irongate_shared::clock::Timestamp;

    use super::*;
    use crate::room::{RoomId, Seq};

    fn room(kind: Kind) -> Room {
        Room {
            id: RoomId::new(),
            kind,
            name: None,
            topic: String::new(),
            created_by: UserId::new(),
            last_seq: Seq::ZERO,
            members: 1,
            created_at: Timestamp::from_millis(0),
        }
    }

    fn member(role: Role) -> Member {
        Member { role, last_read: Seq::ZERO, muted_until: None }
    }

    #[test]
    fn a_private_room_does_not_exist_for_strangers() {
        for kind in [Kind::Private, Kind::Direct] {
            let room = room(kind);
            let now = Timestamp::from_millis(0);

            assert_eq!(may_read(&room, None), Err(Refused::NoSuchRoom));
            assert_eq!(may_write(&room, None, now), Err(Refused::NoSuchRoom));
            assert_eq!(may_join(&room), Err(Refused::NoSuchRoom));
            assert_eq!(may_invite(&room, None), Err(Refused::NoSuchRoom));
            assert_eq!(may_moderate(&room, None, None), Err(Refused::NoSuchRoom));
            assert_eq!(may_own(&room, None), Err(Refused::NoSuchRoom));
        }
    }

    #[test]
    fn power_goes_downwards_only() {
        let room = room(Kind::Public);
        let may = |by, target| may_moderate(&room, Some(&member(by)), Some(&member(target))).is_ok();

        assert!(may(Role::Owner, Role::Moderator) && may(Role::Owner, Role::Member));
        assert!(may(Role::Moderator, Role::Member));
        assert!(!may(Role::Moderator, Role::Moderator) && !may(Role::Moderator, Role::Owner));
        assert!(!may(Role::Owner, Role::Owner));
        assert!(!may(Role::Member, Role::Member));
    }

    #[test]
    fn a_mute_ends_by_itself() {
        let room = room(Kind::Public);
        let until = Timestamp::from_millis(1000);
        let muted = Member { muted_until: Some(until), ..member(Role::Member) };

        assert_eq!(
            may_write(&room, Some(&muted), Timestamp::from_millis(999)),
            Err(Refused::Muted { until })
        );
        assert_eq!(may_write(&room, Some(&muted), until), Ok(()));
    }
}

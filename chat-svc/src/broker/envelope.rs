//! What travels through the broker: a few bytes before the frame as clients get it, so that no replica serializes or
//! parses an event twice.
//!
//! ```text
//! version u8 │ origin 16 │ kind u8 │ kind's own fields │ frame
//! ```

use irongate_shared::id::UserId;
use uuid::Uuid;

use super::Word;
use crate::{
    presence::Change,
    room::{Event, RoomId, Seq, Why},
};

const VERSION: u8 = 1;

/// The bytes of an id's text.
const ID: usize = 36;

/// What was read from a channel.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Letter {
    Word(Word),
    /// A replica's own sign of life.
    Pulse(u64),
}

pub(super) fn word(origin: Uuid, word: &Word) -> Vec<u8> {
    let mut bytes = head(origin);
    match word {
        Word::Event(event) => {
            bytes.push(b'e');
            bytes.extend(event.seq.0.to_be_bytes());
            match event.ends {
                None => bytes.push(0),
                Some((user, why)) => {
                    bytes.push(why_byte(why));
                    bytes.extend(user.as_str().as_bytes());
                }
            }
            bytes.extend(event.frame.as_bytes());
        }
        Word::Reached(_, seq) => {
            bytes.push(b'r');
            bytes.extend(seq.0.to_be_bytes());
        }
        Word::Gone(_) => bytes.push(b'g'),
        Word::Passing { frame, .. } => {
            bytes.push(b'p');
            bytes.extend(frame.as_bytes());
        }
        Word::Notice { user, frame } | Word::Renamed { user, frame } => {
            bytes.push(if matches!(word, Word::Notice { .. }) { b'n' } else { b'u' });
            bytes.extend(user.as_str().as_bytes());
            bytes.extend(frame.as_bytes());
        }
        Word::Presence { change, .. } => {
            let (kind, user) = match change {
                Change::Came(user) => (b'+', user),
                Change::Went(user) => (b'-', user),
            };
            bytes.push(kind);
            bytes.extend(user.as_str().as_bytes());
        }
        Word::WhoIsThere(_) => bytes.push(b'?'),
        Word::Present { users, .. } => {
            bytes.push(b'=');
            for user in users {
                bytes.extend(user.as_str().as_bytes());
            }
        }
    }
    bytes
}

pub(super) fn pulse(origin: Uuid, beat: u64) -> Vec<u8> {
    let mut bytes = head(origin);
    bytes.push(b'h');
    bytes.extend(beat.to_be_bytes());
    bytes
}

fn head(origin: Uuid) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend(origin.as_bytes());
    bytes
}

/// Reads what came on a room's channel (`room`) or on another. `None`: our own words, another version's, or none.
pub(super) fn read(us: Uuid, room: Option<RoomId>, bytes: &[u8]) -> Option<Letter> {
    let bytes = bytes.strip_prefix(&[VERSION])?;
    let (origin, bytes) = bytes.split_first_chunk::<16>()?;
    let (kind, bytes) = bytes.split_first()?;
    let replica = Uuid::from_bytes(*origin);
    let ours = replica == us;
    if ours != (*kind == b'h') {
        return None;
    }
    let letter = match (kind, room) {
        (b'h', _) => Letter::Pulse(u64::from_be_bytes(bytes.try_into().ok()?)),
        (b'e', Some(room)) => {
            let (seq, bytes) = bytes.split_first_chunk::<8>()?;
            let seq = Seq(i64::from_be_bytes(*seq));
            let (why, bytes) = bytes.split_first()?;
            let (ends, frame) = match why {
                0 => (None, bytes),
                why => {
                    let (user, frame) = user(bytes)?;
                    (Some((user, why_of(*why)?)), frame)
                }
            };
            Letter::Word(Word::Event(Event { room, seq, frame: text(frame)?, ends, since: None }))
        }
        (b'r', Some(room)) => {
            Letter::Word(Word::Reached(room, Seq(i64::from_be_bytes(bytes.try_into().ok()?))))
        }
        (b'?', Some(room)) => Letter::Word(Word::WhoIsThere(room)),
        (b'g', Some(room)) => Letter::Word(Word::Gone(room)),
        (b'p', Some(room)) => Letter::Word(Word::Passing { room, frame: text(bytes)? }),
        (b'+', Some(room)) => {
            Letter::Word(Word::Presence { replica, room, change: Change::Came(user(bytes)?.0) })
        }
        (b'-', Some(room)) => {
            Letter::Word(Word::Presence { replica, room, change: Change::Went(user(bytes)?.0) })
        }
        (b'=', Some(room)) => {
            let users = bytes.chunks(ID).map(|id| user(id).map(|(user, _)| user)).collect::<Option<_>>()?;
            Letter::Word(Word::Present { replica, room, users })
        }
        (b'n', None) => {
            let (user, frame) = user(bytes)?;
            Letter::Word(Word::Notice { user, frame: text(frame)? })
        }
        (b'u', None) => {
            let (user, frame) = user(bytes)?;
            Letter::Word(Word::Renamed { user, frame: text(frame)? })
        }
        _ => return None,
    };
    Some(letter)
}

fn user(bytes: &[u8]) -> Option<(UserId, &[u8])> {
    let (id, rest) = bytes.split_at_checked(ID)?;
    Some((std::str::from_utf8(id).ok()?.parse().ok()?, rest))
}

fn text(bytes: &[u8]) -> Option<bytestring::ByteString> {
    std::str::from_utf8(bytes).ok().map(Into::into)
}

const WHYS: [(u8, Why); 4] = [(1, Why::Left), (2, Why::Kick), (3, Why::Ban), (4, Why::Deleted)];

fn why_byte(why: Why) -> u8 {
    WHYS.iter().find(|(_, other)| *other == why).map_or(1, |(byte, _)| *byte)
}

fn why_of(byte: u8) -> Option<Why> {
    WHYS.iter().find(|(other, _)| *other == byte).map(|(_, why)| *why)
}

/// What was read is read again from what would be written for it.
#[cfg(test)]
pub(crate) fn fuzz(data: &[u8]) {
    let (us, others) = (Uuid::from_bytes([7; 16]), Uuid::from_bytes([9; 16]));
    let room: Option<RoomId> = "0190163d-8694-739b-aea5-966c26f8ad91".parse().ok();
    for (origin, room) in [(us, None), (others, None), (us, room), (others, room)] {
        let _ = read(us, room, data);
        let mut headed = head(origin);
        headed.extend_from_slice(data);
        match read(us, room, &headed) {
            Some(Letter::Word(said)) => {
                assert_eq!(read(us, room, &word(origin, &said)), Some(Letter::Word(said)));
            }
            Some(Letter::Pulse(beat)) => assert_eq!(pulse(us, beat), headed),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_arrives_as_it_was_said_and_not_at_who_said_it() {
        let (us, others) = (Uuid::now_v7(), Uuid::now_v7());
        let (room, user) = (RoomId::new(), UserId::new());
        let event = |ends| {
            Word::Event(Event { room, seq: Seq(7), frame: "{\"t\":\"é\"}".into(), ends, since: None })
        };
        let words = [
            event(None),
            event(Some((user, Why::Left))),
            event(Some((user, Why::Kick))),
            event(Some((user, Why::Ban))),
            Word::Reached(room, Seq(9)),
            Word::Gone(room),
            Word::WhoIsThere(room),
            Word::Passing { room, frame: "{}".into() },
            Word::Presence { replica: others, room, change: Change::Came(user) },
            Word::Presence { replica: others, room, change: Change::Went(user) },
            Word::Present { replica: others, room, users: vec![user, UserId::new()] },
        ];

        for said in words {
            let bytes = word(others, &said);
            assert_eq!(read(us, Some(room), &bytes), Some(Letter::Word(said.clone())));
            assert_eq!(read(others, Some(room), &bytes), None);
        }
        for said in [Word::Notice { user, frame: "{}".into() }, Word::Renamed { user, frame: "{}".into() }] {
            assert_eq!(read(us, None, &word(others, &said)), Some(Letter::Word(said)));
        }
        assert_eq!(read(us, None, &pulse(us, 5)), Some(Letter::Pulse(5)));
        assert_eq!(read(us, None, &pulse(others, 5)), None);
    }
}

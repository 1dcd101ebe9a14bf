//! From a refusal to its problem document.

use std::time::Duration;

use irongate_shared::problem::{Kind, Problem, kind};

use crate::room::Refused;

const NOT_A_MEMBER: Kind = Kind::new("not-a-member", 403, "You are not in this room");
const BANNED: Kind = Kind::new("banned", 403, "You were banned from this room");
const MUTED: Kind = Kind::new("muted", 403, "You cannot write in this room at the moment");
const LAST_OWNER: Kind = Kind::new("last-owner", 409, "The room would have no owner");
const ROOM_FULL: Kind = Kind::new("room-full", 409, "The room is full");

impl From<Refused> for Problem {
    fn from(why: Refused) -> Self {
        let detail = why.to_string();
        let refused = |kind: Kind| Self::new(kind).detail(detail.clone());
        match why {
            Refused::NoSuchRoom | Refused::NoSuchMessage | Refused::NoSuchMember | Refused::NoSuchUser => {
                refused(kind::NOT_FOUND)
            }
            Refused::NotAMember => refused(NOT_A_MEMBER),
            Refused::Banned { until: None } => refused(BANNED),
            Refused::Banned { until: Some(until) } => {
                Self::new(BANNED).detail(format!("You may come back after {until}."))
            }
            Refused::Muted { until } => {
                Self::new(MUTED).detail(format!("You may write again after {until}."))
            }
            Refused::NotAllowed(_) => refused(kind::FORBIDDEN),
            Refused::LastOwner => refused(LAST_OWNER),
            Refused::Full => refused(ROOM_FULL),
            Refused::Invalid { field, message } => Self::new(kind::INVALID_INPUT).field(field, message),
            Refused::TooFast { retry } => refused(kind::TOO_MANY_REQUESTS).retry_after(retry),
            Refused::Overloaded => refused(kind::UNAVAILABLE).retry_after(Duration::from_secs(1)),
            Refused::Unavailable(cause) => Self::unavailable(anyhow::anyhow!(cause)),
            Refused::Broken(cause) => Self::internal(anyhow::anyhow!(cause)),
        }
    }
}

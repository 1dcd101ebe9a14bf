//! From a refusal to its problem document.

use std::time::Duration;

use irongate_shared::problem::{Kind, Problem, kind};

use crate::{
    attachment::{FileError, StoreError},
    room::Refused,
};

const NOT_A_MEMBER: Kind = Kind::new("not-a-member", 403, "You are not in this room");
const BANNED: Kind = Kind::new("banned", 403, "You were banned from this room");
const MUTED: Kind = Kind::new("muted", 403, "You cannot write in this room at the moment");
const LAST_OWNER: Kind = Kind::new("last-owner", 409, "The room would have no owner");
const QUOTA_USED: Kind = Kind::new("quota-used", 403, "You keep as many files as you may");
const STORE_FULL: Kind = Kind::new("store-full", 507, "There is no room left for files");
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

impl From<FileError> for Problem {
    fn from(why: FileError) -> Self {
        match why {
            FileError::Refused(why) => why.into(),
            FileError::TooLarge { most } => {
                Self::new(kind::TOO_LARGE).detail(format!("A file may have {most} bytes."))
            }
            FileError::QuotaUsed { most } => Self::new(QUOTA_USED).detail(format!(
                "All your files together may have {most} bytes. Delete messages with files."
            )),
            FileError::BrokenOff => Self::new(kind::MALFORMED_REQUEST).detail("The file ended early."),
            FileError::NoSuchFile => Self::new(kind::NOT_FOUND).detail("That file does not exist."),
            FileError::Store(StoreError::Full) => Self::new(STORE_FULL)
                .detail("Nothing was stored. Whoever runs this has to make room.")
                .because(anyhow::anyhow!("the disk is full")),
            FileError::Store(why @ (StoreError::Missing | StoreError::Away(_))) => Self::unavailable(why),
        }
    }
}

//! Who users are, as user-svc says: it tells what changes (`http/events.rs`), and is asked about whom chat-svc has not
//! met.

use anyhow::Context as _;
use irongate_shared::{
    account::{AccountEvent, AccountStatus, User},
    id::UserId,
    peer::Peer,
};
use serde::{Deserialize, Serialize};

use crate::{
    chat::Chat,
    room::{Command, DELETED, Profile, Refused},
};

#[derive(Serialize)]
struct Lookup {
    ids: [UserId; 1],
}

#[derive(Deserialize)]
struct Found {
    items: Vec<Profile>,
}

/// What user-svc says of a user; `None` when there is no such user.
///
/// # Errors
/// user-svc or the gateway is away, or refuses.
pub(crate) async fn look_up(peer: &Peer, user: UserId) -> anyhow::Result<Option<Profile>> {
    let answer =
        peer.post("/user/lookup", &Lookup { ids: [user] }).await.context("asking user-svc for a profile")?;
    let found: Found = serde_json::from_slice(&answer.bytes().await?).context("user-svc's answer")?;
    Ok(found.items.into_iter().find(|profile| profile.id == user))
}

impl Chat {
    /// Takes in what another service tells. Told twice, it changes nothing.
    pub(crate) async fn take_in(&self, event: AccountEvent) -> Result<(), Refused> {
        match event {
            AccountEvent::AccountChanged { user, status, at, .. } => {
                let id = user.id;
                self.learn(shown(user, status), at).await?;
                if status == AccountStatus::Erased {
                    self.leave_all(id).await?;
                }
                Ok(())
            }
            // Nothing that others see.
            AccountEvent::EmailVerified { .. } => Ok(()),
        }
    }

    async fn leave_all(&self, user: UserId) -> Result<(), Refused> {
        for room in self.rooms_of(user).await? {
            match self.act(room, user, Command::Leave).await {
                // Direct rooms stay, for the one who is left.
                Ok(_) | Err(Refused::NotAllowed(_) | Refused::NoSuchRoom) => {}
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }
}

/// What others see of an account in this state.
fn shown(user: User, status: AccountStatus) -> Profile {
    match status {
        AccountStatus::Active | AccountStatus::Locked => Profile {
            id: user.id,
            username: user.username,
            display_name: user.display_name,
            avatar_url: user.avatar_url,
        },
        AccountStatus::Deleted | AccountStatus::Erased => Profile {
            id: user.id,
            username: DELETED.to_owned(),
            display_name: "Deleted user".to_owned(),
            avatar_url: None,
        },
    }
}

//! Files in messages: taken in, kept, handed out, deleted.
//!
//! ```text
//! upload ──▶ draft.rs: onto the local disk, counted, looked at (image.rs)
//!            row in the database ──▶ keep: into the directory or the bucket ──▶ answered
//! send   ──▶ log/batch.rs puts it into a message, in the message's transaction
//! delete ──▶ the message's transaction marks the row: nobody gets the file from then on
//! sweep  ──▶ deletes the marked files, then their rows; marks what was never sent
//! ```
//!
//! The row comes before the file and goes after it, so that there is never a file that no row speaks of.

mod bucket;
mod draft;
mod files;
mod folder;
mod image;

use std::{ops::Range, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::Stream;
use irongate_shared::{clock::Clock, config::Period, db::Database, id::UserId};
use tokio_util::sync::CancellationToken;

pub(crate) use files::{Contents, StoreError};
#[cfg(test)]
pub(crate) use image::fuzz as fuzz_picture;

use crate::{
    census::{Census, NoPlace},
    chat::{Pace, Paced},
    config,
    room::{Attachment, AttachmentId, FileName, Refused, RoomId, rules},
    store::{self, attachments::Upload},
};
use draft::Draft;
use files::Files;

/// Uploads under way at this replica.
const UPLOADS: usize = 64;

/// Of one user.
const UPLOADS_OF_USER: usize = 10;

/// Uploads that may come at once at the steady rate's expense: two messages full of them.
const BURST: u32 = 20;

/// How often deleted files are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// Files deleted at one go.
const SWEPT: i64 = 100;

/// What a browser shows by itself, and can be trusted to show as nothing else.
const SHOWN: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "image/gif"];

/// What a file is called whose type is not known, or not believed.
const UNKNOWN: &str = "application/octet-stream";

/// Why a file is not taken in or not handed out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("The file is too large.")]
    TooLarge { most: u64 },
    #[error("You keep too many files here.")]
    QuotaUsed { most: u64 },
    #[error("The file did not come whole.")]
    BrokenOff,
    /// Also for a file in a room that the user is not in.
    #[error("There is no such file.")]
    NoSuchFile,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes in, keeps and hands out files. Shared by all workers.
pub(crate) struct Attachments {
    database: Database,
    files: Files,
    clock: Clock,
    /// The largest file.
    most: u64,
    most_of_user: u64,
    unsent_for: Period,
    census: Arc<Census>,
    pace: Paced<UserId>,
}

impl Attachments {
    /// # Errors
    /// The directory cannot be made, or the bucket's settings cannot be right.
    pub(crate) fn new(
        settings: &config::Attachments,
        uploads_per_second: u32,
        data: &Path,
        database: Database,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            database,
            files: Files::open(settings, data)?,
            clock,
            most: settings.max_size.get(),
            most_of_user: settings.per_user.get(),
            unsent_for: settings.unsent_for,
            census: Arc::default(),
            pace: Paced::new(Pace::with_burst(uploads_per_second, uploads_per_second.saturating_mul(BURST))),
        })
    }

    /// Takes in a file for a message of `by` in the room. `declared` is what its sender says it is.
    pub(crate) async fn take_in<E>(
        &self,
        (room, by): (RoomId, UserId),
        name: FileName,
        declared: &str,
        length: Option<u64>,
        content: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<Upload, FileError> {
        self.pace.admit(by, self.clock.now()).map_err(|retry| Refused::TooFast { retry })?;
        let _place = self.census.enter(by, UPLOADS, UPLOADS_OF_USER).map_err(|full| match full {
            NoPlace::User => Refused::TooFast { retry: Duration::from_secs(2) },
            NoPlace::Replica => Refused::Overloaded,
        })?;
        // Before anything is read: who may not write here costs no disk.
        self.check(room, by, length.unwrap_or(0)).await?;
        let draft = Draft::write(self.files.drafts(), self.most, content).await?;

        let picture = draft.picture();
        let content_type = served_as(declared, picture.as_ref());
        let picture = picture.filter(|picture| picture.media_type == content_type);
        let upload = Upload {
            id: AttachmentId::new(),
            room_id: room,
            uploader_id: by,
            seq: None,
            name: name.as_str().to_owned(),
            content_type,
            size: i64::try_from(draft.size()).unwrap_or(i64::MAX),
            width: picture.as_ref().map(|picture| i64::from(picture.width)),
            height: picture.as_ref().map(|picture| i64::from(picture.height)),
            created_at_ms: self.clock.now(),
        };
        self.note(upload.clone()).await?;
        if let Err(why) = self.files.keep(upload.id, draft).await {
            // Whatever part of it is there is swept.
            self.remove(upload.id).await?;
            return Err(why.into());
        }
        Ok(upload)
    }

    /// A file that the user may have. One that is in no message yet is its uploader's alone.
    pub(crate) async fn find(&self, id: AttachmentId, user: UserId) -> Result<Upload, FileError> {
        let found = self
            .database
            .read(move |db| {
                let Some(upload) = store::attachments::find(db, id)? else { return Ok::<_, Refused>(None) };
                // SECURITY: asked each time; whoever left the room or was put out has none of its files.
                let member = store::members::find(db, upload.room_id, user)?.is_some();
                let sent = upload.seq.is_some() || upload.uploader_id == user;
                Ok((member && sent).then_some(upload))
            })
            .await?;
        found.ok_or(FileError::NoSuchFile)
    }

    pub(crate) async fn read(&self, id: AttachmentId, part: Range<u64>) -> Result<Contents, FileError> {
        Ok(self.files.read(id, part).await?)
    }

    /// Whether files can be kept and read, for `/health`.
    pub(crate) async fn ping(&self) -> Result<(), String> {
        self.files.ping().await.map_err(|why| why.to_string())
    }

    /// Deletes what is to be deleted, until told to stop.
    pub(crate) async fn sweep(self: Arc<Self>, stop: CancellationToken) {
        loop {
            if let Err(why) = self.sweep_once().await {
                tracing::warn!(reason = ?why, "files could not be deleted; trying again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SWEEP) => {}
            }
        }
    }

    async fn sweep_once(&self) -> Result<(), FileError> {
        self.files.forget_drafts().await;
        let now = self.clock.now();
        let before = now - self.unsent_for.get();
        let unsent = self
            .database
            .read(move |db| Ok::<_, Refused>(store::attachments::any_unsent(db, before)?))
            .await?;
        if unsent {
            self.database
                .write(move |db| Ok::<_, Refused>(store::attachments::remove_unsent(db, before, now)?))
                .await?;
        }
        let removed =
            self.database.read(move |db| Ok::<_, Refused>(store::attachments::removed(db, SWEPT)?)).await?;
        for id in removed {
            self.files.delete(id).await?;
            self.database.write(move |db| Ok::<_, Refused>(store::attachments::forget(db, id)?)).await?;
        }
        Ok(())
    }

    /// Whether the user may write in the room and keep so much more.
    async fn check(&self, room: RoomId, by: UserId, more: u64) -> Result<(), FileError> {
        if more > self.most {
            return Err(FileError::TooLarge { most: self.most });
        }
        let (now, most) = (self.clock.now(), self.most_of_user);
        self.database.read(move |db| may_keep(db, (room, by), more, most, now)).await
    }

    /// Writes the row, unless the right or the room in the quota went while the file came.
    async fn note(&self, upload: Upload) -> Result<(), FileError> {
        let (now, most) = (self.clock.now(), self.most_of_user);
        self.database
            .write(move |db| {
                let more = u64::try_from(upload.size).unwrap_or(u64::MAX);
                may_keep(db, (upload.room_id, upload.uploader_id), more, most, now)?;
                Ok(store::attachments::insert(db, &upload)?)
            })
            .await
    }

    async fn remove(&self, id: AttachmentId) -> Result<(), FileError> {
        let now = self.clock.now();
        Ok(self.database.write(move |db| Ok::<_, Refused>(store::attachments::remove(db, id, now)?)).await?)
    }
}

fn may_keep(
    db: &mut irongate_shared::db::Db,
    (room, by): (RoomId, UserId),
    more: u64,
    most: u64,
    now: irongate_shared::clock::Timestamp,
) -> Result<(), FileError> {
    let (room, member) = store::rooms::find_for(db, room, by)?.ok_or(Refused::NoSuchRoom)?;
    rules::may_write(&room, member.as_ref(), now)?;
    let kept = u64::try_from(store::attachments::bytes_of(db, by)?).unwrap_or(0);
    if kept.saturating_add(more) > most { Err(FileError::QuotaUsed { most }) } else { Ok(()) }
}

/// The type that a file is handed out as: what its sender says, but an image only if it is that image.
///
/// SECURITY: together with `nosniff` and a sandbox, so that a page that calls itself a picture is none.
fn served_as(declared: &str, picture: Option<&image::Picture>) -> String {
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |text: &str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let well_formed = essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    let believed = match picture {
        Some(picture) => picture.media_type == essence,
        None => !SHOWN.contains(&essence.as_str()),
    };
    if well_formed && believed { essence } else { UNKNOWN.to_owned() }
}

/// Whether a browser may show it in place; everything else it saves.
pub(crate) fn is_shown(attachment: &Attachment) -> bool {
    SHOWN.contains(&attachment.content_type.as_str())
}

impl From<irongate_shared::db::DbError> for FileError {
    fn from(why: irongate_shared::db::DbError) -> Self {
        Self::Refused(why.into())
    }
}

impl From<diesel::result::Error> for FileError {
    fn from(why: diesel::result::Error) -> Self {
        Self::Refused(why.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_served_as_one_only_if_it_is_what_it_says() {
        let png = image::Picture { media_type: "image/png", width: 1, height: 1 };

        assert_eq!(served_as("image/png", Some(&png)), "image/png");
        assert_eq!(served_as("IMAGE/PNG; x=y", Some(&png)), "image/png");
        assert_eq!(served_as("image/jpeg", Some(&png)), UNKNOWN);
        assert_eq!(served_as("text/html", Some(&png)), UNKNOWN);
        assert_eq!(served_as("image/png", None), UNKNOWN);
        assert_eq!(served_as("application/pdf", None), "application/pdf");
        for nonsense in ["", "pdf", "a/b/c", "a/ b", "text/\u{e9}", "/x", "x/"] {
            assert_eq!(served_as(nonsense, None), UNKNOWN, "{nonsense}");
        }
    }
}

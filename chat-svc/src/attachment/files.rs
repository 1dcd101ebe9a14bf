//! Where files are: a directory of this machine, or a bucket that all machines reach.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::Stream;

use super::{bucket::Bucket, draft::Draft, folder::Folder};
use crate::{
    config::{self, Store},
    room::AttachmentId,
};

/// A draft that is older was left behind by a process that died.
const DRAFT_LIFE: Duration = Duration::from_secs(3600);

/// A file's bytes as they come.
pub(crate) type Contents = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>>>>;

/// What can go wrong where files are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("There is no room left for files.")]
    Full,
    #[error("The file is not where it should be.")]
    Missing,
    #[error("{0}")]
    Away(String),
}

impl From<io::Error> for StoreError {
    fn from(why: io::Error) -> Self {
        match why.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full
            }
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Away(why.to_string()),
        }
    }
}

pub(super) struct Files {
    drafts: PathBuf,
    place: Place,
}

enum Place {
    Folder(Folder),
    Bucket(Box<Bucket>),
}

impl Files {
    pub(super) fn open(settings: &config::Attachments, data: &Path) -> anyhow::Result<Self> {
        let folder = data.join("attachments");
        // On the same file system as the files: a draft is given its place by a rename.
        let drafts = folder.join("incoming");
        std::fs::create_dir_all(&drafts).with_context(|| format!("making {}", drafts.display()))?;
        let place = match settings.store {
            Store::Directory => Place::Folder(Folder::new(folder)),
            Store::S3 => Place::Bucket(Box::new(Bucket::open(&settings.s3)?)),
        };
        Ok(Self { drafts, place })
    }

    pub(super) fn drafts(&self) -> &Path {
        &self.drafts
    }

    /// Keeps the file for good: once this returns, it is on disk, or the bucket has it.
    pub(super) async fn keep(&self, id: AttachmentId, draft: Draft) -> Result<(), StoreError> {
        match &self.place {
            Place::Folder(folder) => Ok(folder.keep(id, draft).await?),
            Place::Bucket(bucket) => bucket.keep(id, draft).await,
        }
    }

    pub(super) async fn read(&self, id: AttachmentId, part: Range<u64>) -> Result<Contents, StoreError> {
        match &self.place {
            Place::Folder(folder) => Ok(folder.read(id, part).await?),
            Place::Bucket(bucket) => bucket.read(id, part).await,
        }
    }

    /// Deleting what is not there is done already.
    pub(super) async fn delete(&self, id: AttachmentId) -> Result<(), StoreError> {
        match &self.place {
            Place::Folder(folder) => Ok(folder.delete(id).await?),
            Place::Bucket(bucket) => bucket.delete(id).await,
        }
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        tokio::fs::metadata(&self.drafts).await?;
        match &self.place {
            Place::Folder(_) => Ok(()),
            Place::Bucket(bucket) => bucket.ping().await,
        }
    }

    /// Deletes drafts that a process which died has left behind. Another one's drafts under way are younger.
    pub(super) async fn forget_drafts(&self) {
        let Ok(mut entries) = tokio::fs::read_dir(&self.drafts).await else { return };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let modified = entry.metadata().await.and_then(|about| about.modified());
            let old = modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > DRAFT_LIFE));
            if old {
                let _ = tokio::fs::remove_file(entry.path()).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_trouble() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        // Linux alone has this device.
        let Ok(mut full) = full else { return };

        let why = full.write_all(b"x").unwrap_err();

        assert!(matches!(StoreError::from(why), StoreError::Full));
    }
}

//! A file on its way in: on the local disk, whatever store it goes to, so that its length is known, a slow sender holds
//! no connection to the store, and a refused file was never there.

use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::{fs::File, io::AsyncWriteExt as _};

use super::{FileError, files::StoreError, image::Picture};

/// As much of the beginning as is looked at: photographs carry their maker's notes before their size.
const HEAD: usize = 256 << 10;

/// Between two pieces of the file.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file that nobody else sees yet. Dropped, it is gone.
pub(super) struct Draft {
    path: PathBuf,
    size: u64,
    head: Vec<u8>,
}

impl Draft {
    /// Writes at most `most` bytes, down to the disk.
    pub(super) async fn write<E>(
        folder: &Path,
        most: u64,
        content: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<Self, FileError> {
        let path = folder.join(uuid::Uuid::now_v7().to_string());
        let mut file = File::create_new(&path).await.map_err(StoreError::from)?;
        let mut draft = Self { path, size: 0, head: Vec::new() };
        let mut content = pin!(content);
        loop {
            let chunk = match tokio::time::timeout(PATIENCE, content.next()).await {
                Ok(None) => break,
                Ok(Some(Ok(chunk))) => chunk,
                Ok(Some(Err(_))) | Err(_) => return Err(FileError::BrokenOff),
            };
            draft.size += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            if draft.size > most {
                return Err(FileError::TooLarge { most });
            }
            let wanted = HEAD.saturating_sub(draft.head.len()).min(chunk.len());
            draft.head.extend_from_slice(chunk.get(..wanted).unwrap_or_default());
            file.write_all(&chunk).await.map_err(StoreError::from)?;
        }
        // Tokio's file reports a failed write at the next call only.
        file.flush().await.map_err(StoreError::from)?;
        file.sync_all().await.map_err(StoreError::from)?;
        Ok(draft)
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn picture(&self) -> Option<Picture> {
        Picture::of(&self.head)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its place, on the same file system.
    pub(super) async fn move_to(self, place: &Path) -> io::Result<()> {
        tokio::fs::rename(&self.path, place).await
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Moved away, there is nothing to remove; left behind by a crash, it is swept.
        let _ = std::fs::remove_file(&self.path);
    }
}

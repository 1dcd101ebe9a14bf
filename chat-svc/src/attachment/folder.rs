//! Files in the data directory: `attachments/7d/018f6b1e-5d3c-7cc1-8a31-3f5f0a9c0b7d`.

use std::{
    io::{self, SeekFrom},
    ops::Range,
    path::PathBuf,
};

use bytes::BytesMut;
use futures_util::stream;
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};

use super::{draft::Draft, files::Contents, files::StoreError};
use crate::room::AttachmentId;

/// Read at once.
const PIECE: usize = 64 << 10;

pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The end of an id is random: as many files in one folder as in the other.
    fn place_of(&self, id: AttachmentId) -> (PathBuf, PathBuf) {
        let folder = self.0.join(id.as_str().get(34..).unwrap_or("00"));
        let file = folder.join(id.as_str());
        (folder, file)
    }

    pub(super) async fn keep(&self, id: AttachmentId, draft: Draft) -> io::Result<()> {
        let (folder, file) = self.place_of(id);
        if !fs::try_exists(&folder).await? {
            fs::create_dir_all(&folder).await?;
            File::open(&self.0).await?.sync_all().await?;
        }
        draft.move_to(&file).await?;
        // A name is on disk when its directory is.
        File::open(&folder).await?.sync_all().await
    }

    pub(super) async fn read(&self, id: AttachmentId, part: Range<u64>) -> io::Result<Contents> {
        let (_, path) = self.place_of(id);
        let mut file = File::open(path).await?;
        if part.start > 0 {
            file.seek(SeekFrom::Start(part.start)).await?;
        }
        let file = file.take(part.end.saturating_sub(part.start));
        Ok(Box::pin(stream::try_unfold(file, |mut file| async move {
            let mut piece = BytesMut::with_capacity(PIECE);
            let read = file.read_buf(&mut piece).await.map_err(StoreError::from)?;
            Ok((read > 0).then(|| (piece.freeze(), file)))
        })))
    }

    pub(super) async fn delete(&self, id: AttachmentId) -> io::Result<()> {
        let (_, path) = self.place_of(id);
        match fs::remove_file(path).await {
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

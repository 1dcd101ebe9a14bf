//! Files in an S3-compatible store: one object per file, `attachments/<id>`. Requests are signed here (SigV4, in the
//! query) and carried by reqwest.

use std::{
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body::{Frame, SizeHint};
use reqwest::{Response, StatusCode, header};
use rusty_s3::{Credentials, S3Action as _, UrlStyle};
use tokio::{fs::File, io::AsyncRead};

use super::{
    draft::Draft,
    files::{Contents, StoreError},
};
use crate::{config, room::AttachmentId};

/// How long a signature holds: each is used at once, and clocks differ.
const SIGNED_FOR: Duration = Duration::from_secs(300);

/// Until the store answers; a file of the largest size has to go through before that.
const PATIENCE: Duration = Duration::from_secs(120);

const PIECE: usize = 64 << 10;

pub(super) struct Bucket {
    http: reqwest::Client,
    bucket: rusty_s3::Bucket,
    credentials: Credentials,
}

impl Bucket {
    pub(super) fn open(settings: &config::S3) -> anyhow::Result<Self> {
        let endpoint = settings.endpoint.parse().context("IRONGATE_CHAT__ATTACHMENTS__S3__ENDPOINT")?;
        let style = if settings.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = rusty_s3::Bucket::new(endpoint, style, settings.bucket.clone(), settings.region.clone())
            .context("IRONGATE_CHAT__ATTACHMENTS__S3__BUCKET")?;
        let secret = match &settings.secret_key_file {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("reading the secret key from {}", file.display()))?
                .trim()
                .to_owned(),
            None => settings.secret_key.as_ref().map(|key| key.expose().clone()).unwrap_or_default(),
        };
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("a client for the store")?;
        Ok(Self { http, bucket, credentials: Credentials::new(settings.access_key.clone(), secret) })
    }

    pub(super) async fn keep(&self, id: AttachmentId, draft: Draft) -> Result<(), StoreError> {
        let url = self.bucket.put_object(Some(&self.credentials), &object(id)).sign(SIGNED_FOR);
        let file = File::open(draft.path()).await?;
        let body = FileBody { file, left: draft.size(), piece: BytesMut::new() };
        let answer = self
            .http
            .put(url)
            .header(header::CONTENT_LENGTH, draft.size())
            .body(reqwest::Body::wrap(body))
            .send()
            .await;
        done(answer).await?;
        Ok(())
    }

    pub(super) async fn read(&self, id: AttachmentId, part: Range<u64>) -> Result<Contents, StoreError> {
        if part.is_empty() {
            return Ok(Box::pin(stream::empty()));
        }
        let url = self.bucket.get_object(Some(&self.credentials), &object(id)).sign(SIGNED_FOR);
        let range = format!("bytes={}-{}", part.start, part.end - 1);
        let answer = done(self.http.get(url).header(header::RANGE, range).send().await).await?;
        if answer.status() != StatusCode::PARTIAL_CONTENT {
            return Err(StoreError::Away("the store knows no ranges".to_owned()));
        }
        Ok(Box::pin(stream::try_unfold(answer, |mut answer| async move {
            let piece = answer.chunk().await.map_err(away)?;
            Ok(piece.map(|piece| (piece, answer)))
        })))
    }

    pub(super) async fn delete(&self, id: AttachmentId) -> Result<(), StoreError> {
        let url = self.bucket.delete_object(Some(&self.credentials), &object(id)).sign(SIGNED_FOR);
        match done(self.http.delete(url).send().await).await {
            Ok(_) | Err(StoreError::Missing) => Ok(()),
            Err(why) => Err(why),
        }
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let url = self.bucket.head_bucket(Some(&self.credentials)).sign(SIGNED_FOR);
        done(self.http.head(url).timeout(Duration::from_secs(2)).send().await).await?;
        Ok(())
    }
}

fn object(id: AttachmentId) -> String {
    format!("attachments/{id}")
}

async fn done(answer: reqwest::Result<Response>) -> Result<Response, StoreError> {
    let answer = answer.map_err(away)?;
    match answer.status() {
        status if status.is_success() => Ok(answer),
        StatusCode::NOT_FOUND => Err(StoreError::Missing),
        StatusCode::INSUFFICIENT_STORAGE => Err(StoreError::Full),
        status => {
            let text = answer.text().await.unwrap_or_default();
            let said: String = text.chars().take(300).collect();
            Err(StoreError::Away(format!("the store answers {status}: {said}")))
        }
    }
}

fn away(why: reqwest::Error) -> StoreError {
    // SECURITY: the URL holds the signature.
    let why = why.without_url();
    StoreError::Away(format!("{:#}", anyhow::Error::from(why)))
}

/// A file as the body of a request, its length told beforehand.
struct FileBody {
    file: File,
    left: u64,
    piece: BytesMut,
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        this.piece.resize(PIECE, 0);
        let mut into = tokio::io::ReadBuf::new(&mut this.piece);
        ready!(Pin::new(&mut this.file).poll_read(context, &mut into))?;
        let read = into.filled().len();
        if read == 0 {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        this.left = this.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        let piece = this.piece.split_to(read).freeze();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

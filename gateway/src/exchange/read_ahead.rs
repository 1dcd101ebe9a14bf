//! Reads ahead of rustls, which asks for 4 KiB at a time: of a long upload that would be four system calls per TLS
//! record. Short messages pass by untouched, and a connection that waits holds no buffer.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Some TLS records.
const SIZE: usize = 64 * 1024;
/// Buffers that a thread keeps for the next upload.
const SPARE: usize = 16;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
pub(crate) struct ReadAhead<S> {
    inner: S,
    /// What was read and not yet asked for.
    ahead: Option<Ahead>,
    /// The last read filled all the room that there was: more is likely waiting.
    is_long: bool,
}

#[derive(Debug)]
struct Ahead {
    buffer: Vec<u8>,
    taken: usize,
    filled: usize,
}

impl Ahead {
    fn new() -> Self {
        let buffer = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; SIZE]);
        Self { buffer, taken: 0, filled: 0 }
    }

    fn give_back(self) {
        BUFFERS.with_borrow_mut(|spare| {
            if spare.len() < SPARE {
                spare.push(self.buffer);
            }
        });
    }
}

impl<S> ReadAhead<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, ahead: None, is_long: false }
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.inner
    }

    fn take(&mut self, buf: &mut ReadBuf<'_>) {
        let Some(mut ahead) = self.ahead.take() else { return };
        let there = ahead.buffer.get(ahead.taken..ahead.filled).unwrap_or_default();
        let size = there.len().min(buf.remaining());
        buf.put_slice(there.get(..size).unwrap_or_default());
        ahead.taken += size;
        if ahead.taken < ahead.filled {
            self.ahead = Some(ahead);
        } else {
            ahead.give_back();
        }
    }
}

impl<S> AsyncRead for ReadAhead<S>
where
    S: AsyncRead + Unpin,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_some() {
            this.take(buf);
            return Poll::Ready(Ok(()));
        }
        let room = buf.remaining();
        if !this.is_long || room >= SIZE {
            let before = buf.filled().len();
            let read = Pin::new(&mut this.inner).poll_read(cx, buf);
            this.is_long = room > 0 && buf.filled().len() - before == room;
            return read;
        }
        let mut ahead = Ahead::new();
        let mut read = ReadBuf::new(&mut ahead.buffer);
        let done = Pin::new(&mut this.inner).poll_read(cx, &mut read);
        ahead.filled = read.filled().len();
        this.is_long = ahead.filled > room;
        this.ahead = Some(ahead);
        this.take(buf);
        done
    }
}

impl<S> AsyncWrite for ReadAhead<S>
where
    S: AsyncWrite + Unpin,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn every_byte_arrives_in_order_whatever_is_asked_for() {
        let (near, mut far) = tokio::io::duplex(200_000);
        let sent: Vec<u8> = (0..1_000_000u32).map(|n| (n / 7) as u8).collect();
        let expected = sent.clone();
        tokio::spawn(async move {
            for piece in sent.chunks(70_001) {
                far.write_all(piece).await.unwrap();
            }
        });
        let mut reader = ReadAhead::new(near);
        let mut got = Vec::new();
        let mut scratch = vec![0; 100_000];
        for room in [1, 4096, 4096, 10, 4096, 100_000, 4096].iter().cycle() {
            let size = reader.read(&mut scratch[..*room]).await.unwrap();
            if size == 0 {
                break;
            }
            got.extend_from_slice(&scratch[..size]);
        }
        assert_eq!(got, expected);
        assert!(reader.ahead.is_none(), "an idle connection holds a buffer");
    }
}

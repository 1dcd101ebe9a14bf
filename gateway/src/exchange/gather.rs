//! Gathers what many HTTP/2 streams write, so that it leaves in few TLS records and one system call.
//!
//! The h2 crate writes each answer's frames on their own and flushes between them; 16 answers that are ready
//! together would cost 16 records and 16 calls. Here they wait until the connection has nothing more to say.

use std::{
    cell::RefCell,
    future::{Future as _, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::unconstrained,
};

/// Four TLS records: what rustls takes at once.
const SIZE: usize = 64 * 1024;
/// Buffers that a thread keeps for the next connection that has something to say.
const SPARE: usize = 16;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

pub(crate) struct Gather<S> {
    inner: S,
    /// Empty, and without memory, while nothing waits.
    waiting: Vec<u8>,
    sent: usize,
    hold: Arc<AtomicBool>,
}

/// Holds flushes back while more is about to be written.
#[derive(Clone)]
pub(crate) struct Hold(Arc<AtomicBool>);

impl Hold {
    pub(crate) fn set(&self, hold: bool) {
        self.0.store(hold, Relaxed);
    }
}

impl<S> Gather<S> {
    pub(crate) fn new(inner: S) -> (Self, Hold) {
        let hold = Arc::new(AtomicBool::new(false));
        (Self { inner, waiting: Vec::new(), sent: 0, hold: hold.clone() }, Hold(hold))
    }

    fn room(&mut self) -> usize {
        if self.waiting.capacity() == 0 {
            self.waiting = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(SIZE));
        }
        SIZE - self.waiting.len()
    }
}

impl<S> Gather<S>
where
    S: AsyncWrite + Unpin,
{
    /// Passes on what waits.
    fn poll_pass_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.waiting.get(self.sent..).filter(|rest| !rest.is_empty()) {
            // SECURITY: a client that sends without end uses up what tokio grants a task per turn, and would never
            // be told that it is enough; what we have to say does not count against that.
            let writing = poll_fn(|cx| Pin::new(&mut self.inner).poll_write(cx, rest));
            let written = ready!(pin!(unconstrained(writing)).poll(cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        self.sent = 0;
        let mut buffer = std::mem::take(&mut self.waiting);
        buffer.clear();
        if buffer.capacity() > 0 {
            BUFFERS.with_borrow_mut(|spare| {
                if spare.len() < SPARE {
                    spare.push(buffer);
                }
            });
        }
        Poll::Ready(Ok(()))
    }
}

impl<S> AsyncRead for Gather<S>
where
    S: AsyncRead + Unpin,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buf)
    }
}

impl<S> AsyncWrite for Gather<S>
where
    S: AsyncWrite + Unpin,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.room() == 0 {
            ready!(this.poll_pass_on(cx))?;
        }
        let mut taken = 0;
        for slice in data {
            let size = slice.len().min(this.room());
            this.waiting.extend_from_slice(slice.get(..size).unwrap_or_default());
            taken += size;
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.hold.load(Relaxed) {
            return Poll::Ready(Ok(()));
        }
        ready!(this.poll_pass_on(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_pass_on(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_is_held_leaves_whole_and_in_order() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let (mut gather, hold) = Gather::new(near);
        hold.set(true);
        let mut expected = Vec::new();
        for n in 0..30u8 {
            let piece = vec![n; 1000];
            gather.write_all(&piece).await.unwrap();
            gather.flush().await.unwrap();
            expected.extend(piece);
        }
        let mut got = vec![0; expected.len()];
        let early = tokio::time::timeout(std::time::Duration::from_millis(20), far.read(&mut got)).await;
        assert!(early.is_err(), "something left while it was held");
        hold.set(false);
        gather.flush().await.unwrap();
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(got, expected);
    }

    #[tokio::test]
    async fn more_than_a_buffer_passes_through_a_narrow_pipe() {
        let (near, mut far) = tokio::io::duplex(777);
        let (mut gather, _hold) = Gather::new(near);
        let expected: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
        let sent = expected.clone();
        let sender = tokio::spawn(async move {
            gather.write_all(&sent).await.unwrap();
            gather.shutdown().await.unwrap();
        });
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        sender.await.unwrap();
        assert_eq!(got, expected);
    }
}

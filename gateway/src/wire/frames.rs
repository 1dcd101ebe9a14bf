//! HTTP/2 frames as bytes: just enough to count the ones that cost us work and the client nothing.
//!
//! SECURITY: PING, SETTINGS, RST_STREAM, PRIORITY and empty DATA or CONTINUATION floods. The h2 crate answers each
//! frame faithfully; how many are too many it leaves to us.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{
    sync::Notify,
    time::{Sleep, sleep},
};

const PREFACE: usize = 24;
const WINDOW: Duration = Duration::from_secs(10);
/// Between the end of reading and that of the connection: long enough for our GOAWAY to leave.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Follows what a client sends on one connection.
#[derive(Debug)]
pub(crate) struct FrameWatch {
    limit: u32,
    count: u32,
    window_began: Instant,
    /// Bytes to skip until the next frame header.
    skip: usize,
    header: [u8; 9],
    header_len: usize,
    flooded: Arc<Notify>,
    last_word: Option<Pin<Box<Sleep>>>,
}

impl FrameWatch {
    /// `flooded` is told once, when more than `limit` such frames came within ten seconds.
    pub(crate) fn new(limit: u32, flooded: Arc<Notify>) -> Self {
        Self {
            limit,
            count: 0,
            window_began: Instant::now(),
            skip: PREFACE,
            header: [0; 9],
            header_len: 0,
            flooded,
            last_word: None,
        }
    }

    /// Once the client floods: not ready while the connection is being ended, then an error. Nothing of the flood is
    /// read meanwhile, so it costs no more work.
    pub(crate) fn poll_last_word(&mut self, cx: &mut Context<'_>) -> Option<Poll<io::Result<()>>> {
        let last_word = self.last_word.as_mut()?;
        Some(last_word.as_mut().poll(cx).map(|()| Err(io::ErrorKind::ConnectionAborted.into())))
    }

    /// Takes the next bytes.
    pub(crate) fn advance(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let skipped = self.skip.min(data.len());
            self.skip -= skipped;
            data = data.get(skipped..).unwrap_or_default();
            let Some((byte, rest)) = data.split_first() else { break };
            data = rest;
            if let Some(slot) = self.header.get_mut(self.header_len) {
                *slot = *byte;
            }
            self.header_len += 1;
            if self.header_len == 9 {
                self.header_len = 0;
                self.frame();
            }
        }
    }

    fn frame(&mut self) {
        let [a, b, c, kind, flags, ..] = self.header;
        self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let ends_stream = flags & 1 != 0;
        let costs = match kind {
            0 => self.skip == 0 && !ends_stream,
            2 | 3 | 4 | 6 | 9 => true,
            _ => false,
        };
        if !costs {
            return;
        }
        if self.window_began.elapsed() > WINDOW {
            self.window_began = Instant::now();
            self.count = 0;
        }
        self.count += 1;
        if self.count > self.limit && self.last_word.is_none() {
            self.last_word = Some(Box::pin(sleep(LAST_WORD)));
            self.flooded.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(kinds: &[(u8, usize)]) -> Vec<u8> {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        for (kind, length) in kinds {
            bytes.extend_from_slice(&[0, (length >> 8) as u8, *length as u8, *kind, 0, 0, 0, 0, 1]);
            bytes.resize(bytes.len() + length, 6);
        }
        bytes
    }

    #[test]
    fn only_frames_that_cost_us_are_counted_however_they_are_cut() {
        for cut in [1, 2, 7, 9, 50, 1000] {
            let mut watch = FrameWatch::new(100, Arc::default());
            let bytes = stream(&[(4, 6), (6, 8), (0, 300), (0, 0), (1, 40), (9, 5), (3, 4), (8, 4)]);
            for piece in bytes.chunks(cut) {
                watch.advance(piece);
            }
            assert_eq!(watch.count, 5, "cut by {cut}");
        }
    }

    #[tokio::test]
    async fn a_flood_is_told_once_and_then_ended() {
        let flooded = Arc::new(Notify::new());
        let mut watch = FrameWatch::new(10, flooded.clone());
        let last_word = |watch: &mut FrameWatch, cx: &mut Context<'_>| watch.poll_last_word(cx);
        std::future::poll_fn(|cx| {
            assert!(last_word(&mut watch, cx).is_none(), "nothing is amiss yet");
            Poll::Ready(())
        })
        .await;
        watch.advance(&stream(&[(6, 8); 11]));
        flooded.notified().await;
        let ended = std::future::poll_fn(|cx| last_word(&mut watch, cx).expect("a flood")).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }
}

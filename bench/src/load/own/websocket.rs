//! WebSocket messages that come back: a few on their way at a time on each connection.
//!
//! Frames are written and counted by hand, because a generator that costs more than the proxy measures itself.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::ensure;

use super::{
    Outcome, Tally,
    client::{self, Client},
};

/// Sizes up to here fit the short form of a frame's length.
const SHORT: usize = 125;

pub(super) async fn run(
    address: SocketAddr,
    path: &str,
    connections: usize,
    window: usize,
    size: usize,
    time: Duration,
) -> anyhow::Result<Outcome> {
    ensure!(size <= SHORT, "messages are at most {SHORT} bytes");
    let tally = Rc::new(RefCell::new(Tally::new()?));
    let mut clients = Vec::new();
    for _ in 0..connections {
        let mut client = Client::connect(address, Some(&client::tls(false)?)).await?;
        let upgrade = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let answer = client.exchange(&client::get(path, &upgrade)).await?;
        ensure!(answer.status == 101, "the upgrade was answered with {}", answer.status);
        clients.push(client);
    }

    let start = Instant::now();
    let lanes: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let tally = Rc::clone(&tally);
            tokio::task::spawn_local(async move {
                while start.elapsed() < time {
                    if exchange(&mut client, window, size, &tally).await.is_err() {
                        tally.borrow_mut().errors += 1;
                        return;
                    }
                }
            })
        })
        .collect();
    for lane in lanes {
        lane.await?;
    }
    let tally = tally.borrow();
    Ok(tally.outcome(start.elapsed()))
}

/// Sends `window` messages and reads as many.
async fn exchange(client: &mut Client, window: usize, size: usize, tally: &RefCell<Tally>) -> io::Result<()> {
    let begun = Instant::now();
    client.send(&masked(size).repeat(window)).await?;
    let mut left = window;
    while left > 0 {
        let (frames, length) = whole_frames(&client.buffer)?;
        client.buffer.drain(..length);
        for _ in 0..frames.min(left) {
            tally.borrow_mut().record(begun.elapsed());
        }
        left = left.saturating_sub(frames);
        if left > 0 {
            client.fill().await?;
        }
    }
    Ok(())
}

/// A text frame from a client. The mask is zero: it must be there, and changes nothing.
fn masked(size: usize) -> Vec<u8> {
    let length = u8::try_from(size.min(SHORT)).unwrap_or(0);
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.resize(frame.len() + usize::from(length), b'x');
    frame
}

/// How many whole text frames of a server `bytes` begins with, and their length together.
fn whole_frames(bytes: &[u8]) -> io::Result<(usize, usize)> {
    let (mut frames, mut at) = (0, 0);
    while let Some([first, length]) = bytes.get(at..at + 2) {
        if *first != 0x81 || usize::from(*length) > SHORT {
            return Err(io::Error::other("a frame that nobody sent"));
        }
        let end = at + 2 + usize::from(*length);
        if end > bytes.len() {
            break;
        }
        frames += 1;
        at = end;
    }
    Ok((frames, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_frames_count() {
        assert_eq!(whole_frames(&[0x81, 1, b'x', 0x81, 2, b'x']).unwrap(), (1, 3));
        assert_eq!(whole_frames(&[0x81]).unwrap(), (0, 0));
    }

    #[test]
    fn a_close_frame_is_no_echo() {
        assert!(whole_frames(&[0x88, 0]).is_err());
    }
}

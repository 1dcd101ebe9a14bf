//! The WebSocket `/chat/ws`, protocol `chat.v1.json` (`docs/chat-protocol.md`).
//!
//! ```text
//! handshake.rs   may this client come in: token, origin, limits; plain HTTP answers before the upgrade
//! guard.rs       refuses frames by their declared length, before anything buffers them
//! wire.rs        RFC 6455, apart from what is said: bounds, close codes, the end
//! incoming.rs    what a client says, put together from its frames
//! connection.rs  one task per socket: what comes in, when to close
//! command.rs     what a client's frame asks for
//! follow.rs      joins: from a room's log to its live events without a gap
//! worker.rs      the sockets of one thread: deliveries, heartbeats, revocations, drain
//! outbox.rs      what waits for a socket, bounded in bytes; the answer's body takes from it
//! ```
//!
//! A socket lives on one worker thread with everything that concerns it, so there are no locks; workers share the hub
//! and the lanes alone.

mod close;
mod command;
mod connection;
mod follow;
mod frames;
mod guard;
mod handshake;
mod incoming;
mod outbox;
mod socket_options;
mod wire;
mod worker;

#[cfg(test)]
pub(crate) use frames::fuzz as fuzz_frames;
#[cfg(test)]
pub(crate) use guard::fuzz as fuzz_guard;
pub(crate) use handshake::{Door, open};
pub(crate) use socket_options::set as set_socket_options;
pub use wire::Wire;
pub(crate) use worker::Worker;

//! Options of accepted sockets that bound what a stalled reader costs.

use std::{any::Any, time::Duration};

use actix_web::{dev::Extensions, rt::net::TcpStream};
use socket2::SockRef;

/// How long sent bytes may stay unacknowledged. actix can neither finish nor close a stalled socket by itself: the
/// kernel ends it (RFC 5482).
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// What the kernel buffers for a reader: left alone it grows to 4 MiB, a slow reader's hiding place.
const SEND_BUFFER: usize = 128 << 10;

/// Called for every accepted connection; Unix sockets have neither option.
pub(crate) fn set(connection: &dyn Any, _: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<TcpStream>() {
        let socket = SockRef::from(stream);
        let set = socket
            .set_tcp_user_timeout(Some(USER_TIMEOUT))
            .and_then(|()| socket.set_send_buffer_size(SEND_BUFFER))
            .and_then(|()| socket.set_tcp_nodelay(true));
        if let Err(why) = set {
            tracing::debug!(reason = %why, "socket options could not be set");
        }
    }
}

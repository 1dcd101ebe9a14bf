//! chat-svc's own readers of bytes that others send, each with what must hold of it whatever it reads; see the gateway's.

use crate::{attachment, broker, ws};

/// By the names of their corpora.
const READERS: [irongate_test_servers::Reader; 4] = [
    ("frame_headers", ws::fuzz_guard),
    ("client_frame", ws::fuzz_frames),
    ("envelope", broker::fuzz_envelope),
    ("picture", attachment::fuzz_picture),
];

#[test]
fn every_kept_input_and_what_comes_near_it_is_read_as_it_must_be() {
    irongate_test_servers::read_corpora(&READERS);
}

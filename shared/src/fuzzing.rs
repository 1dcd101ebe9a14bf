//! Readers of bytes that others send, with what must hold of them whatever they read; see the gateway's.

/// By the names of their corpora.
const READERS: [irongate_test_servers::Reader; 1] = [("token", crate::token::fuzz)];

#[test]
fn every_kept_input_and_what_comes_near_it_is_read_as_it_must_be() {
    irongate_test_servers::read_corpora(&READERS);
}

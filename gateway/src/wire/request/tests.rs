use proptest::prelude::*;

use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes: 16 * 1024, fields: 100, target: 8 * 1024 };

fn refusal(text: &[u8]) -> Malformed {
    match parse(text, &LIMITS) {
        Err(cause) => cause,
        Ok(other) => panic!("{} was not refused: {other:?}", String::from_utf8_lossy(text)),
    }
}

fn head(text: &[u8]) -> RequestHead {
    match parse(text, &LIMITS) {
        Ok(Some((head, taken))) => {
            assert_eq!(taken, text.len());
            head
        }
        other => panic!("{} is no head: {other:?}", String::from_utf8_lossy(text)),
    }
}

#[test]
fn a_plain_request_is_read() {
    let head = head(b"GET /a/b?c=d HTTP/1.1\r\nHost: Example.com:8443\r\nX-Empty:\r\nX-Two:  b \t\r\n\r\n");
    assert_eq!(head.method, Method::GET);
    assert_eq!(head.target, "/a/b?c=d");
    assert_eq!(head.authority, "example.com:8443");
    assert_eq!(split_port(&head.authority).0, "example.com");
    assert_eq!(head.fields.get("x-two"), Some(&b"b"[..]));
    assert_eq!(head.fields.get("x-empty"), Some(&b""[..]));
    assert_eq!(head.framing, Framing::None);
    assert!(head.keep_alive());
}

#[test]
fn an_absolute_target_overrides_host() {
    let head = head(b"GET http://b.example?x HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_eq!((head.target.as_str(), head.authority.as_str()), ("/?x", "b.example"));
}

#[test]
fn every_ambiguous_head_is_refused_by_name() {
    let with = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n").into_bytes();
    let cases: Vec<(Vec<u8>, Malformed)> = vec![
        (with("Content-Length: 1\r\nContent-Length: 1"), Malformed::TwoLengths),
        (with("Content-Length: 1, 1"), Malformed::BadLength),
        (with("Content-Length: +1"), Malformed::BadLength),
        (with("Content-Length: 0x1"), Malformed::BadLength),
        (with("Content-Length:"), Malformed::BadLength),
        (with("Content-Length: 99999999999999999999"), Malformed::BadLength),
        (with("Content-Length: 1\r\nTransfer-Encoding: chunked"), Malformed::LengthAndCoding),
        (with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), Malformed::BadCoding),
        (with("Transfer-Encoding: chunked, chunked"), Malformed::BadCoding),
        (with("Transfer-Encoding: xchunked"), Malformed::BadCoding),
        (with("Transfer-Encoding: \x0bchunked"), Malformed::FieldValue),
        (with("Transfer-Encoding: identity"), Malformed::BadCoding),
        (with("Transfer-Encoding: gzip, chunked"), Malformed::UnknownCoding),
        (with("Transfer-Encoding: gzip"), Malformed::UnknownCoding),
        (with("Transfer-Encoding:"), Malformed::UnknownCoding),
        (with("X: a\r\n b"), Malformed::Folded),
        (with("X: a\r\n\tb"), Malformed::Folded),
        (with("X : a"), Malformed::FieldName),
        (with(": a"), Malformed::FieldName),
        (with("no colon"), Malformed::FieldName),
        (with("X\x00Y: a"), Malformed::FieldName),
        (with("X: a\x00b"), Malformed::FieldValue),
        (with("X: a\x7fb"), Malformed::FieldValue),
        (with("X: a\rb"), Malformed::BareCarriageReturn),
        (with("X: a\nY: b"), Malformed::BareLineFeed),
        (with("Host: b"), Malformed::TwoHosts),
        (b"GET / HTTP/1.1\n\n".to_vec(), Malformed::BareLineFeed),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Malformed::NoHost),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n".to_vec(), Malformed::BadHost),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n".to_vec(), Malformed::BadHost),
        (b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n".to_vec(), Malformed::BadHost),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n".to_vec(), Malformed::BadHost),
        (b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n".to_vec(), Malformed::BadHost),
        (b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n".to_vec(), Malformed::BadHost),
        (b"GET / HTTP/1.1\r\nHost: [::zz]\r\n\r\n".to_vec(), Malformed::BadHost),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Malformed::RequestLine),
        (b"GET /\r\nHost: a\r\n\r\n".to_vec(), Malformed::RequestLine),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n".to_vec(), Malformed::RequestLine),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_vec(), Malformed::Version),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n".to_vec(), Malformed::Version),
        (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Malformed::Method),
        (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Malformed::TargetForm),
        (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Malformed::TargetForm),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Malformed::TargetForm),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Malformed::TargetForm),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Malformed::TargetBytes),
        (b"GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Malformed::TargetBytes),
        (b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Malformed::TargetBytes),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), Malformed::CodingInHttp10),
    ];
    for (text, cause) in cases {
        assert_eq!(refusal(&text), cause, "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn oversize_heads_are_refused_before_they_are_complete() {
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000));
    assert_eq!(refusal(long_target.as_bytes()), Malformed::TargetTooLong);
    assert_eq!(refusal(&[b'a'; 9000]), Malformed::TargetTooLong);
    let long_field = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(17_000));
    assert_eq!(refusal(long_field.as_bytes()), Malformed::HeadTooLarge);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(100));
    assert_eq!(refusal(many.as_bytes()), Malformed::TooManyFields);
}

#[test]
fn a_cut_head_asks_for_more() {
    let whole = b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    for end in 0..whole.len() {
        assert!(matches!(parse(&whole[..end], &LIMITS), Ok(None)), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, &LIMITS);
    }

    #[test]
    fn what_is_accepted_holds_no_line_break(value in "[ -~\r\n\t]{0,60}") {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n");
        if let Ok(Some((head, taken))) = parse(text.as_bytes(), &LIMITS) {
            prop_assert!(taken <= text.len());
            for (_, value) in head.fields.iter() {
                prop_assert!(!value.contains(&b'\n') && !value.contains(&b'\r'));
            }
        }
    }
}

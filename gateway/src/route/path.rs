//! The one reading of a path.
//!
//! SECURITY: path traversal and route confusion. The gateway matches the decoded path and sends on the path as it came,
//! so a path that two programs could read differently (dot segments, encoded or not, backslashes,
//! control bytes, broken escapes) is refused before anything is decided by it.

use percent_encoding::percent_decode_str;

/// The decoded path, or `None` when it is ambiguous. A `%2F` inside a segment stays escaped: it is
/// part of a name, not a separator.
pub(crate) fn normalize(raw: &str) -> Option<String> {
    if raw == "*" {
        return Some(raw.to_owned());
    }
    // Most paths have nothing to decode, and no segment that begins with a dot.
    if memchr::memchr(b'%', raw.as_bytes()).is_none() && !raw.as_bytes().windows(2).any(|two| two == b"/.") {
        return raw.starts_with('/').then(|| raw.to_owned());
    }
    let mut path = String::with_capacity(raw.len());
    for segment in raw.strip_prefix('/')?.split('/') {
        path.push('/');
        if !segment.contains('%') {
            if is_dots(segment) {
                return None;
            }
            path.push_str(segment);
            continue;
        }
        if has_broken_escape(segment) {
            return None;
        }
        let decoded = percent_decode_str(segment).decode_utf8().ok()?;
        let ambiguous =
            decoded.chars().any(|c| c.is_control() || c == '\\') || decoded.split('/').any(is_dots);
        if ambiguous {
            return None;
        }
        path.push_str(if decoded.contains('/') { segment } else { &decoded });
    }
    Some(path)
}

/// `.` and `..`, also with the path parameters that some servers cut off (`..;x=y`).
fn is_dots(segment: &str) -> bool {
    matches!(segment.split(';').next(), Some("." | ".."))
}

fn has_broken_escape(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| {
        *byte == b'%'
            && !bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_and_escaped_paths_read_the_same() {
        assert_eq!(normalize("/auth/login").as_deref(), Some("/auth/login"));
        assert_eq!(normalize("/%61uth/log%69n").as_deref(), Some("/auth/login"));
        assert_eq!(normalize("/%C3%A4").as_deref(), Some("/ä"));
        assert_eq!(normalize("/a%2Fb").as_deref(), Some("/a%2Fb"));
        assert_eq!(normalize("//a/").as_deref(), Some("//a/"));
        assert_eq!(normalize("/...").as_deref(), Some("/..."));
    }

    #[test]
    fn traversal_in_every_encoding_is_refused() {
        for raw in [
            "/..",
            "/../etc/passwd",
            "/a/../b",
            "/a/./b",
            "/.",
            "/%2e%2e/x",
            "/.%2e/x",
            "/%2E./x",
            "/a/%2e",
            "/..%2fetc",
            "/%2e%2e%2fetc",
            "/a%2f..%2fb",
            "/..;/x",
            "/..;a=b/x",
            "/%2e%2e;/x",
            "/a%5c..%5cb",
            "/a%00b",
            "/a%0ab",
            "/a%0d%0ab",
            "/%",
            "/%2",
            "/%zz",
            "/%c0%ae%c0%ae/",
            "/%ff",
            "a",
        ] {
            assert_eq!(normalize(raw), None, "{raw}");
        }
        // Decoded once and no more: this names a file called `%2e%2e`.
        assert_eq!(normalize("/%252e%252e/x").as_deref(), Some("/%2e%2e/x"));
    }

    proptest! {
        #[test]
        fn no_accepted_path_climbs(raw in "/[a./%25;e2fF\\\\]{0,20}") {
            if let Some(path) = normalize(&raw) {
                prop_assert!(!path.split('/').any(|segment| segment == "." || segment == ".."), "{path}");
            }
        }
    }
}

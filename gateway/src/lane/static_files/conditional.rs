//! Conditional requests (RFC 9110 §13), in the order that §13.2.2 gives.

use crate::wire::{Fields, list};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Proceed,
    NotModified,
    Failed,
}

/// `modified` is in whole seconds since 1970, as HTTP dates are.
pub(super) fn evaluate(fields: &Fields, etag: &str, modified: i64) -> Outcome {
    if fields.has("if-match") {
        if !fields.all("if-match").any(|value| matches_strongly(value, etag)) {
            return Outcome::Failed;
        }
    } else if let Some(date) = date(fields, "if-unmodified-since")
        && modified > date
    {
        return Outcome::Failed;
    }
    if fields.has("if-none-match") {
        if fields.all("if-none-match").any(|value| matches_weakly(value, etag)) {
            return Outcome::NotModified;
        }
    } else if let Some(date) = date(fields, "if-modified-since")
        && modified <= date
    {
        return Outcome::NotModified;
    }
    Outcome::Proceed
}

/// Whether `If-Range` lets the range stand: only a strong validator that is the current one does.
pub(super) fn range_applies(fields: &Fields, etag: &str, modified: i64) -> bool {
    match fields.get("if-range") {
        None => true,
        Some(value) if value.starts_with(b"\"") || value.starts_with(b"W/") => value == etag.as_bytes(),
        Some(_) => date(fields, "if-range") == Some(modified),
    }
}

fn matches_strongly(value: &[u8], etag: &str) -> bool {
    value == b"*" || list(value).any(|member| member == etag.as_bytes())
}

fn matches_weakly(value: &[u8], etag: &str) -> bool {
    value == b"*" || list(value).any(|member| member.strip_prefix(b"W/").unwrap_or(member) == etag.as_bytes())
}

fn date(fields: &Fields, name: &str) -> Option<i64> {
    let time = httpdate::parse_http_date(fields.text(name)?).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETAG: &str = "\"abc\"";
    const MODIFIED: i64 = 784_111_777; // Sun, 06 Nov 1994 08:49:37 GMT
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn outcome(pairs: &[(&str, &str)]) -> Outcome {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.push(name, value);
        }
        evaluate(&fields, ETAG, MODIFIED)
    }

    #[test]
    fn preconditions_are_evaluated_in_the_order_of_the_rfc() {
        use Outcome::{Failed, NotModified, Proceed};
        let cases: [(&[(&str, &str)], Outcome); 15] = [
            (&[], Proceed),
            (&[("if-none-match", ETAG)], NotModified),
            (&[("if-none-match", "W/\"abc\"")], NotModified),
            (&[("if-none-match", "\"x\", \"abc\"")], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"x\"")], Proceed),
            (&[("if-modified-since", SAME)], NotModified),
            (&[("if-modified-since", EARLIER)], Proceed),
            (&[("if-modified-since", "yesterday")], Proceed),
            // §13.1.3: If-None-Match makes If-Modified-Since void.
            (&[("if-none-match", "\"x\""), ("if-modified-since", SAME)], Proceed),
            (&[("if-match", ETAG)], Proceed),
            (&[("if-match", "W/\"abc\"")], Failed),
            (&[("if-match", "\"x\"")], Failed),
            (&[("if-unmodified-since", EARLIER)], Failed),
            (&[("if-match", ETAG), ("if-unmodified-since", EARLIER)], Proceed),
        ];
        for (fields, expected) in cases {
            assert_eq!(outcome(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_range_stands_only_with_the_current_strong_validator() {
        let applies = |value: &str| {
            let mut fields = Fields::default();
            fields.push("if-range", value);
            range_applies(&fields, ETAG, MODIFIED)
        };
        assert!(applies(ETAG) && applies(SAME));
        assert!(!applies("W/\"abc\"") && !applies("\"x\"") && !applies(EARLIER) && !applies("soon"));
    }
}

//! `Range: bytes=…` (RFC 9110 §14).

/// SECURITY: many small or overlapping parts make a small request a big answer (CVE-2011-3192).
const PARTS_MAX: usize = 16;

/// Bytes `start` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Part {
    pub(super) fn len(&self) -> u64 {
        self.end - self.start
    }

    pub(super) fn content_range(&self, whole: u64) -> String {
        format!("bytes {}-{}/{whole}", self.start, self.end - 1)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ranges {
    /// No range, or one that is to be ignored.
    Whole,
    One(Part),
    Several(Vec<Part>),
    Unsatisfiable,
}

pub(super) fn parse(value: &[u8], length: u64) -> Ranges {
    let Some(specs) = std::str::from_utf8(value).ok().and_then(|text| text.trim().strip_prefix("bytes="))
    else {
        return Ranges::Whole;
    };
    let mut parts: Vec<Part> = Vec::new();
    let mut count = 0;
    for spec in specs.split(',').map(str::trim) {
        count += 1;
        match part(spec, length) {
            Err(()) => return Ranges::Whole,
            Ok(None) => {}
            Ok(Some(part)) => parts.push(part),
        }
    }
    if count > PARTS_MAX {
        return Ranges::Whole;
    }
    let total: u64 = parts.iter().map(Part::len).sum();
    match parts.as_slice() {
        [] => Ranges::Unsatisfiable,
        [one] => Ranges::One(*one),
        _ if total > length => Ranges::Whole,
        _ => Ranges::Several(parts),
    }
}

/// `Ok(None)` when well-formed but beyond the end.
fn part(spec: &str, length: u64) -> Result<Option<Part>, ()> {
    let (first, last) = spec.split_once('-').ok_or(())?;
    let number = |digits: &str| -> Result<u64, ()> {
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(());
        }
        Ok(digits.parse().unwrap_or(u64::MAX))
    };
    if first.is_empty() {
        let suffix = number(last)?.min(length);
        return Ok((suffix > 0).then_some(Part { start: length - suffix, end: length }));
    }
    let start = number(first)?;
    let end = if last.is_empty() { length } else { number(last)?.saturating_add(1) };
    if end <= start && !last.is_empty() {
        return Err(());
    }
    Ok((start < length).then_some(Part { start, end: end.min(length) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_has_them() {
        let part = |start, end| Part { start, end };
        for (value, expected) in [
            ("bytes=0-4", Ranges::One(part(0, 5))),
            ("bytes=5-", Ranges::One(part(5, 10))),
            ("bytes=-3", Ranges::One(part(7, 10))),
            ("bytes=-99", Ranges::One(part(0, 10))),
            ("bytes=0-99", Ranges::One(part(0, 10))),
            ("bytes=0-0,9-9", Ranges::Several(vec![part(0, 1), part(9, 10)])),
            ("bytes=10-", Ranges::Unsatisfiable),
            ("bytes=-0", Ranges::Unsatisfiable),
            ("bytes=20-30,0-0", Ranges::One(part(0, 1))),
            ("bytes=4-2", Ranges::Whole),
            ("bytes=a-b", Ranges::Whole),
            ("bytes=", Ranges::Whole),
            ("bytes=+1-2", Ranges::Whole),
            ("lines=0-4", Ranges::Whole),
            ("bytes=0-9,0-9", Ranges::Whole),
        ] {
            assert_eq!(parse(value.as_bytes(), 10), expected, "{value}");
        }
        assert_eq!(parse(b"bytes=0-", 0), Ranges::Unsatisfiable);
        let many = format!("bytes={}", (0..20).map(|n| format!("{n}-{n}")).collect::<Vec<_>>().join(","));
        assert_eq!(parse(many.as_bytes(), 100), Ranges::Whole);
    }
}

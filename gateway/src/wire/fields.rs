//! Header fields, kept as the very text that goes onto an HTTP/1.1 wire, with an index beside it.
//!
//! One allocation holds all fields of a message, and writing them to a connection is one copy.
//! Names keep the spelling they came with and are compared without regard to case.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The fields of one message, in order.
#[derive(Clone, Default)]
pub(crate) struct Fields {
    text: Vec<u8>,
    index: Vec<Entry>,
}

/// Where a field stands in the text. Small, because there are many.
#[derive(Clone, Copy)]
struct Entry {
    name: u32,
    name_end: u32,
    value_end: u32,
}

impl Entry {
    fn name(self) -> Range<usize> {
        self.name as usize..self.name_end as usize
    }

    fn value(self) -> Range<usize> {
        // Behind the colon and the space.
        self.name_end as usize + 2..self.value_end as usize
    }
}

impl Fields {
    pub(crate) fn with_capacity(bytes: usize, fields: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), index: Vec::with_capacity(fields) }
    }

    /// Appends a field. The caller vouches for the bytes: parsed ones were checked by the parser.
    pub(crate) fn push(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        debug_assert!(super::is_token(name));
        debug_assert!(super::is_value(value));
        // Heads are bounded far below what 32 bits count; what is not has no place in one.
        let (Ok(start), Ok(name_end), Ok(value_end)) = (
            u32::try_from(self.text.len()),
            u32::try_from(self.text.len() + name.len()),
            u32::try_from(self.text.len() + name.len() + 2 + value.len()),
        ) else {
            return;
        };
        self.text.reserve(name.len() + value.len() + 4);
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b": ");
        self.text.extend_from_slice(value);
        self.text.extend_from_slice(b"\r\n");
        self.index.push(Entry { name: start, name_end, value_end });
    }

    /// The same fields, with room for some more.
    pub(crate) fn copied(&self) -> Self {
        let mut copy = Self::with_capacity(self.text.len() + 256, self.index.len() + 6);
        copy.text.extend_from_slice(&self.text);
        copy.index.extend_from_slice(&self.index);
        copy
    }

    /// The same fields but for those of one name.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut others = Self::with_capacity(self.text.len() + 256, self.index.len() + 6);
        for (own, value) in self.iter().filter(|(own, _)| !own.eq_ignore_ascii_case(name.as_bytes())) {
            others.push(own, value);
        }
        others
    }

    /// The same fields with these set: over those of the same name, an empty value in place of none.
    pub(crate) fn with(&self, set: &[(String, String)]) -> Self {
        let mut fields = Self::with_capacity(self.text.len() + 256, self.index.len() + set.len() + 4);
        let is_set = |name: &[u8]| set.iter().any(|(own, _)| name.eq_ignore_ascii_case(own.as_bytes()));
        for (name, value) in self.iter().filter(|(name, _)| !is_set(name)) {
            fields.push(name, value);
        }
        for (name, value) in set.iter().filter(|(_, value)| !value.is_empty()) {
            fields.push(name, value);
        }
        fields
    }

    /// Appends a field whose value comes from outside the parsers (configuration, an upstream's
    /// text, a path): what may not stand in a field is left out.
    pub(crate) fn push_cleaned(&mut self, name: &str, value: &str) {
        if super::is_value(value.as_bytes()) {
            self.push(name, value);
        } else {
            // SECURITY: response splitting. No CR, LF or NUL ever reaches a header.
            let cleaned: String = value.chars().filter(|c| !c.is_control()).collect();
            self.push(name, cleaned);
        }
    }

    /// The first value under this name.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The first value under this name, when it is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Every value under this name, in order.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f [u8]> {
        self.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.index.iter().map(|entry| (self.slice(entry.name()), self.slice(entry.value())))
    }

    /// As HTTP/2 takes them, with room for some more; one allocation holds all values.
    pub(crate) fn into_map(self, room: usize) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.index.len() + room);
        self.append_to(&mut map);
        map
    }

    pub(crate) fn append_to(self, map: &mut HeaderMap) {
        let text = Bytes::from(self.text);
        for entry in self.index {
            // Names and values were checked when they were parsed or pushed.
            if let Ok(name) = HeaderName::from_bytes(text.get(entry.name()).unwrap_or_default())
                && let Ok(value) = HeaderValue::from_maybe_shared(text.slice(entry.value()))
            {
                map.append(name, value);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// All fields as they stand on the wire, each with its line end.
    pub(crate) fn as_wire(&self) -> &[u8] {
        &self.text
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.text.get(range).unwrap_or_default()
    }
}

/// Fields that many answers have, made once, in the shape of each protocol.
pub(crate) struct ReadyFields {
    fields: Fields,
    map: HeaderMap,
}

impl ReadyFields {
    pub(crate) fn new(fields: Fields) -> Self {
        Self { map: fields.clone().into_map(6), fields }
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    pub(crate) fn map(&self) -> &HeaderMap {
        &self.map
    }
}

impl std::fmt::Debug for Fields {
    /// Names only: values carry tokens and cookies.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_the_case_and_written_as_they_came() {
        let mut fields = Fields::default();
        fields.push("X-One", "1");
        fields.push("Set-Cookie", "a=b");
        fields.push("set-cookie", "c=d");
        assert_eq!(fields.get("x-one"), Some(&b"1"[..]));
        assert_eq!(fields.all("Set-Cookie").count(), 2);
        assert_eq!(fields.as_wire(), b"X-One: 1\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n");
    }

    #[test]
    fn what_is_set_replaces_what_was_there_and_nothing_takes_it_away() {
        let mut fields = Fields::default();
        fields.push("Cache-Control", "no-cache");
        fields.push("X-Old", "1");
        fields.push("etag", "\"a\"");
        let set = [("cache-control", "public"), ("x-old", ""), ("x-new", "2")];
        let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields.with(&set).as_wire(), b"etag: \"a\"\r\ncache-control: public\r\nx-new: 2\r\n");
    }

    #[test]
    fn a_line_break_never_reaches_a_field() {
        let mut fields = Fields::default();
        fields.push_cleaned("Location", "/a\r\nSet-Cookie: evil=1");
        assert_eq!(fields.as_wire(), b"Location: /aSet-Cookie: evil=1\r\n");
    }
}

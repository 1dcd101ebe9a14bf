//! Compression of services' answers on their way to the client.
//!
//! SECURITY: BREACH. Where a page mixes a secret with what an attacker can choose, the length of its compressed form
//! tells the secret bit by bit. So what is made for one user (`private`, `no-store`, a cookie that is set) passes
//! uncompressed, unless the route says otherwise.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::write::GzEncoder;
use http::StatusCode;

use super::encoding::{self, Coding};
use crate::{
    exchange::Request,
    wire::{Fields, list, trim_ows},
};

/// Quick rather than small: this happens on the threads that serve, once per answer.
const GZIP_LEVEL: u32 = 5;
const ZSTD_LEVEL: i32 = 3;
const BROTLI_QUALITY: u32 = 4;
/// Bits of the window of brotli and zstd: bounds what one answer under way takes to some hundred KiB.
const WINDOW: u8 = 18;

/// What is compressed on a route.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Media types, lower case.
    pub(crate) types: Vec<String>,
    pub(crate) min_size: u64,
    /// Whether answers for one user are compressed too.
    pub(crate) even_private: bool,
}

impl Rule {
    /// Whether this answer may be compressed at all, whoever asks.
    fn fits(&self, request: &Request, status: StatusCode, fields: &Fields, length: Option<u64>) -> bool {
        let says = |fields: &Fields, word: &str| {
            fields.all("cache-control").flat_map(list).any(|one| one.eq_ignore_ascii_case(word.as_bytes()))
        };
        let media_type =
            fields.get("content-type").and_then(|value| value.split(|byte| *byte == b';').next());
        let is_private = says(fields, "private") || says(fields, "no-store") || fields.has("set-cookie");
        // A digest is one of the bytes as they were sent (RFC 9530); a range is one of the plain form.
        let is_fixed = ["content-encoding", "content-range", "content-digest", "repr-digest", "digest"]
            .into_iter()
            .any(|name| fields.has(name));
        media_type.is_some_and(|found| {
            self.types.iter().any(|one| trim_ows(found).eq_ignore_ascii_case(one.as_bytes()))
        }) && length.is_none_or(|length| length >= self.min_size)
            && status != StatusCode::PARTIAL_CONTENT
            && !is_fixed
            && !says(fields, "no-transform")
            && !says(&request.head.fields, "no-transform")
            && (self.even_private || !is_private)
    }

    /// The answer's fields as the client gets them, and what its body goes through.
    pub(crate) fn prepare(
        &self,
        request: &Request,
        status: StatusCode,
        fields: Fields,
        length: Option<u64>,
    ) -> (Fields, Option<Encoder>) {
        if !self.fits(request, status, &fields, length) {
            return (fields, None);
        }
        const ALL: [Coding; 3] = [Coding::Gzip, Coding::Zstd, Coding::Brotli];
        let coding = encoding::choose(request.head.fields.all("accept-encoding"), &ALL);
        let encoder = Encoder::new(coding);
        let mut passed = Fields::with_capacity(fields.as_wire().len() + 64, fields.len() + 2);
        let varies =
            |value: &[u8]| list(value).any(|one| one == b"*" || one.eq_ignore_ascii_case(b"accept-encoding"));
        let says_so = fields.all("vary").any(varies);
        for (name, value) in fields.iter() {
            if encoder.is_none() {
                passed.push(name, value);
            } else if name.eq_ignore_ascii_case(b"etag") && !value.starts_with(b"W/") {
                // RFC 9110 §8.8.3: a strong tag promises the same bytes.
                passed.push(name, [b"W/", value].concat());
            } else if !name.eq_ignore_ascii_case(b"accept-ranges") {
                passed.push(name, value);
            }
        }
        if encoder.is_some() {
            passed.push("content-encoding", coding.name());
        }
        if !says_so {
            passed.push("vary", "Accept-Encoding");
        }
        (passed, encoder)
    }
}

/// A body on its way through a coding. What comes out is taken after each step.
pub(crate) struct Encoder {
    inner: Inner,
    /// Whether something went in that may not have come out yet.
    holds: bool,
}

enum Inner {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
}

impl Encoder {
    fn new(coding: Coding) -> Option<Self> {
        let inner = match coding {
            Coding::Identity => return None,
            Coding::Gzip => Inner::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL))),
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL).ok()?;
                encoder.window_log(WINDOW.into()).ok()?;
                Inner::Zstd(encoder)
            }
            Coding::Brotli => {
                let encoder = brotli::CompressorWriter::new(Vec::new(), 4096, BROTLI_QUALITY, WINDOW.into());
                Inner::Brotli(Box::new(encoder))
            }
        };
        Some(Self { inner, holds: false })
    }

    /// Takes a piece of the body and gives what is ready, which may be nothing.
    pub(crate) fn push(&mut self, data: &[u8]) -> io::Result<Bytes> {
        self.holds = true;
        match &mut self.inner {
            Inner::Gzip(encoder) => encoder.write_all(data)?,
            Inner::Zstd(encoder) => encoder.write_all(data)?,
            Inner::Brotli(encoder) => encoder.write_all(data)?,
        }
        Ok(self.take())
    }

    /// Everything that went in so far: before a pause, so that an event stream is no pipe with a cork.
    pub(crate) fn flush(&mut self) -> io::Result<Bytes> {
        if !std::mem::take(&mut self.holds) {
            return Ok(Bytes::new());
        }
        match &mut self.inner {
            Inner::Gzip(encoder) => encoder.flush()?,
            Inner::Zstd(encoder) => encoder.flush()?,
            Inner::Brotli(encoder) => encoder.flush()?,
        }
        Ok(self.take())
    }

    pub(crate) fn finish(self) -> io::Result<Bytes> {
        Ok(match self.inner {
            Inner::Gzip(encoder) => encoder.finish()?,
            Inner::Zstd(encoder) => encoder.finish()?,
            Inner::Brotli(encoder) => encoder.into_inner(),
        }
        .into())
    }

    fn take(&mut self) -> Bytes {
        let out = match &mut self.inner {
            Inner::Gzip(encoder) => encoder.get_mut(),
            Inner::Zstd(encoder) => encoder.get_mut(),
            Inner::Brotli(encoder) => encoder.get_mut(),
        };
        std::mem::take(out).into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            Coding::Identity => out.extend_from_slice(bytes),
            Coding::Gzip => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap()),
            Coding::Zstd => out = zstd::decode_all(bytes).unwrap(),
            Coding::Brotli => drop(brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out).unwrap()),
        }
        out
    }

    proptest! {
        #[test]
        fn bodies_come_out_as_they_went_in_however_they_are_cut(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 0..6),
            flushes in proptest::collection::vec(any::<bool>(), 6),
        ) {
            for coding in [Coding::Gzip, Coding::Zstd, Coding::Brotli] {
                let mut encoder = Encoder::new(coding).unwrap();
                let mut sent = Vec::new();
                for (piece, flush) in pieces.iter().zip(&flushes) {
                    sent.extend_from_slice(&encoder.push(piece).unwrap());
                    if *flush {
                        sent.extend_from_slice(&encoder.flush().unwrap());
                    }
                }
                sent.extend_from_slice(&encoder.finish().unwrap());
                prop_assert_eq!(decoded(coding, &sent), pieces.concat(), "{:?}", coding);
            }
        }
    }

    #[test]
    fn what_is_flushed_can_be_read_before_the_end() {
        for coding in [Coding::Gzip, Coding::Zstd, Coding::Brotli] {
            let mut encoder = Encoder::new(coding).unwrap();
            let mut sent = encoder.push(b"data: 1\n\n").unwrap().to_vec();
            sent.extend_from_slice(&encoder.flush().unwrap());
            let mut read = [0; 9];
            let done = match coding {
                Coding::Identity => Ok(()),
                Coding::Gzip => flate2::read::GzDecoder::new(&sent[..]).read_exact(&mut read),
                Coding::Zstd => zstd::Decoder::new(&sent[..]).unwrap().read_exact(&mut read),
                Coding::Brotli => brotli::Decompressor::new(&sent[..], 4096).read_exact(&mut read),
            };
            assert!(done.is_ok() && read == *b"data: 1\n\n", "{coding:?}: {read:?}");
            assert!(encoder.flush().unwrap().is_empty(), "nothing came in between");
        }
    }
}

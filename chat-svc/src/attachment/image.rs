//! What kind of image a file is, and how large: read from its first bytes, nothing is decoded.

/// An image as its own head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Picture {
    pub media_type: &'static str,
    pub width: u32,
    pub height: u32,
}

impl Picture {
    /// From the beginning of a file; `None` for what is none of the four kinds or does not say its size there.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let (media_type, (width, height)) = match head {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => ("image/png", png(head)?),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => ("image/gif", gif(head)?),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => ("image/webp", webp(head)?),
            [0xff, 0xd8, 0xff, ..] => ("image/jpeg", jpeg(head)?),
            _ => return None,
        };
        (width > 0 && height > 0).then_some(Self { media_type, width, height })
    }
}

/// PNG specification 11.2.2: `IHDR` is the first chunk.
fn png(head: &[u8]) -> Option<(u32, u32)> {
    (head.get(12..16)? == b"IHDR").then_some(())?;
    Some((big(head, 16, 4)?, big(head, 20, 4)?))
}

fn gif(head: &[u8]) -> Option<(u32, u32)> {
    Some((little(head, 6, 2)?, little(head, 8, 2)?))
}

/// RFC 9649 §2.5 to §2.7: lossy, lossless, extended.
fn webp(head: &[u8]) -> Option<(u32, u32)> {
    match head.get(12..16)? {
        b"VP8 " => Some((little(head, 26, 2)? & 0x3fff, little(head, 28, 2)? & 0x3fff)),
        b"VP8L" => {
            let bits = little(head, 21, 4)?;
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => Some((little(head, 24, 3)? + 1, little(head, 27, 3)? + 1)),
        _ => None,
    }
}

/// ITU-T T.81 B.2.2: the frame header is behind segments of any kind, each with its length.
fn jpeg(head: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let [0xff, marker] = *head.get(at..at + 2)? else { return None };
        match marker {
            // Fill bytes.
            0xff => at += 1,
            // Start of frame, but for the three markers in that range that are something else.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some((big(head, at + 7, 2)?, big(head, at + 5, 2)?));
            }
            // Image data, or the end, before any frame.
            0xda | 0xd9 => return None,
            _ => at += 2 + usize::try_from(big(head, at + 2, 2)?).ok()?.max(2),
        }
    }
}

fn big(head: &[u8], at: usize, bytes: usize) -> Option<u32> {
    Some(head.get(at..at.checked_add(bytes)?)?.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

fn little(head: &[u8], at: usize, bytes: usize) -> Option<u32> {
    Some(head.get(at..at.checked_add(bytes)?)?.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

/// What the beginning of a file says, more of it says too.
#[cfg(test)]
pub(crate) fn fuzz(data: &[u8]) {
    let half = data.get(..data.len() / 2).unwrap_or_default();
    if let Some(picture) = Picture::of(half) {
        assert_eq!(Picture::of(data), Some(picture));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(head: &[u8]) -> Option<(&'static str, u32, u32)> {
        Picture::of(head).map(|picture| (picture.media_type, picture.width, picture.height))
    }

    #[test]
    fn each_kind_says_its_size() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06";
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc4\0\x02\xff\xc2\0\x11\x08\x01\xe0\x02\x80\x03";
        let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01";
        // 639 | 479 << 14, after the signature byte.
        let lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x7f\xc2\x77\x00";
        let extended = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0";

        assert_eq!(size(png), Some(("image/png", 640, 480)));
        assert_eq!(size(b"GIF89a\x80\x02\xe0\x01"), Some(("image/gif", 640, 480)));
        assert_eq!(size(jpeg), Some(("image/jpeg", 640, 480)));
        assert_eq!(size(lossy), Some(("image/webp", 640, 480)));
        assert_eq!(size(lossless), Some(("image/webp", 640, 480)));
        assert_eq!(size(extended), Some(("image/webp", 640, 480)));
    }

    #[test]
    fn what_is_no_image_or_ends_early_is_none() {
        for head in [
            &b""[..],
            b"<html>",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a\0\0\0\0",
            b"\xff\xd8\xff\xd9",
            b"\xff\xd8\xffx",
        ] {
            assert_eq!(size(head), None, "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_hang(kind in 0..4usize, rest in proptest::collection::vec(any::<u8>(), 0..300)) {
            let starts: [&[u8]; 4] = [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF....WEBP", b"\xff\xd8\xff"];
            let head = [starts[kind], &rest].concat();
            let _ = Picture::of(&head);
        }
    }
}

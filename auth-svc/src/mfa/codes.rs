//! Recovery codes: 80 random bits each, good once.

use irongate_shared::secret::random_key;
use sha2::{Digest as _, Sha256};

const HOW_MANY: usize = 10;

/// 80 bits in base32, four groups of four: `ABCD-EFGH-JKLM-NPQR`.
const BYTES: usize = 10;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Codes to show once, and their hashes to keep.
pub(super) fn generate() -> (Vec<String>, Vec<[u8; 32]>) {
    let codes: Vec<String> = (0..HOW_MANY).map(|_| grouped(&random_base32(BYTES))).collect();
    let hashes = codes.iter().map(|code| hash(code)).collect();
    (codes, hashes)
}

/// The hash of a code however it is typed. The code is random, so a plain hash does not give it away.
pub(super) fn hash(code: &str) -> [u8; 32] {
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    Sha256::digest(code.to_ascii_uppercase()).into()
}

fn random_base32(bytes: usize) -> String {
    let random = random_key();
    base32(random.get(..bytes).unwrap_or(&random))
}

/// RFC 4648 §6 without padding.
pub(super) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0_u16, 0);
    for byte in bytes {
        buffer = buffer << 8 | u16::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(digit(buffer >> bits));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(digit(buffer << (5 - bits)));
    }
    text
}

fn digit(five_bits: u16) -> char {
    ALPHABET.get(usize::from(five_bits & 31)).map_or('A', |letter| char::from(*letter))
}

fn grouped(code: &str) -> String {
    let letters: Vec<char> = code.chars().collect();
    letters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_code_may_be_typed_in_any_way() {
        let (codes, hashes) = generate();

        assert_eq!((codes.len(), codes[0].len()), (10, 19));
        assert_eq!(hash(&codes[0].to_lowercase().replace('-', " ")), hashes[0]);
        assert_ne!(hash(&codes[1]), hashes[0]);
    }
}

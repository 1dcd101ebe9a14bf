//! An authenticator app.

use aws_lc_rs::hmac;

/// What an authenticator app shows (RFC 6238), written down apart from the code under test.
pub fn app_code(secret: &str, seconds: i64) -> String {
    let bits: String = secret
        .bytes()
        .map(|letter| {
            format!(
                "{:05b}",
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|l| *l == letter).expect("base32")
            )
        })
        .collect();
    let key: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|b| u8::from_str_radix(std::str::from_utf8(b).expect("base32"), 2).expect("base32"))
        .collect();
    let tag =
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key), &(seconds / 30).to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().expect("base32")) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

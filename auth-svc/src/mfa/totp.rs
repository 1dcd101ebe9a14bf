//! Time-based one-time passwords (RFC 6238), as every authenticator app makes them: SHA-1, six digits, thirty seconds.
//!
//! Other hashes and lengths are in the standard and in no app that can be relied on.

use aws_lc_rs::hmac;
use irongate_shared::clock::Timestamp;

const STEP_SECONDS: i64 = 30;

/// RFC 4226 §4 asks for 160 bits.
pub(super) const SECRET_BYTES: usize = 20;

/// The time step whose code this is: the current one or a neighbour, for clocks that differ and slow fingers.
pub(super) fn step_of(secret: &[u8], code: &str, now: Timestamp) -> Option<i64> {
    let current = now.as_secs().div_euclid(STEP_SECONDS);
    let mut found = None;
    // SECURITY: all three are compared, in constant time each: timing tells neither step nor digits.
    for step in [current - 1, current, current + 1] {
        let expected = code_at(secret, step);
        if aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), code.as_bytes()).is_ok() {
            found = Some(step);
        }
    }
    found
}

fn code_at(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    // RFC 4226 §5.3: the last four bits say where the four bytes begin.
    let at = usize::from(tag.last().map_or(0, |last| last & 0xf));
    let four = tag.get(at..at + 4).and_then(|four| <[u8; 4]>::try_from(four).ok()).unwrap_or_default();
    let number = u32::from_be_bytes(four) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// What the app reads from the QR code.
pub(super) fn otpauth_url(issuer: &str, account: &str, secret: &str) -> String {
    let label = |text: &str| {
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
    };
    let (issuer, account) = (label(issuer), label(account));
    format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, cut to six digits.
        let secret = b"12345678901234567890";
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(code_at(secret, seconds / 30), code);
        }
    }

    #[test]
    fn a_neighbouring_step_is_near_enough() {
        let secret = b"12345678901234567890";
        let at = |seconds| step_of(secret, "287082", Timestamp::from_secs(seconds));

        assert_eq!([at(29), at(30), at(59), at(89), at(90)], [Some(1), Some(1), Some(1), Some(1), None]);
        assert_eq!(step_of(secret, "", Timestamp::from_secs(59)), None);
    }

    #[test]
    fn names_in_the_address_are_escaped() {
        assert_eq!(
            otpauth_url("Irongate", "ann&bob x", "ABC"),
            "otpauth://totp/Irongate:ann%26bob%20x?secret=ABC&issuer=Irongate"
        );
    }
}

//! Times as text, made once a second per thread and not once a request.

use std::{
    cell::RefCell,
    fmt::Write as _,
    time::{Duration, UNIX_EPOCH},
};

use jiff::Timestamp;

thread_local! {
    static SECOND: RefCell<Second> = const {
        RefCell::new(Second { unix: i64::MIN, http: String::new(), iso: String::new(), combined: String::new() })
    };
}

/// One second of the wall clock in the three ways in which we write it.
struct Second {
    unix: i64,
    http: String,
    /// Without the fraction.
    iso: String,
    combined: String,
}

impl Second {
    fn is(&mut self, now: Timestamp) {
        let unix = now.as_second();
        if self.unix == unix {
            return;
        }
        self.unix = unix;
        self.http =
            httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(u64::try_from(unix).unwrap_or(0)));
        self.iso.clear();
        self.combined.clear();
        // Writing into a string does not fail.
        let _ = write!(self.iso, "{}", now.strftime("%Y-%m-%dT%H:%M:%S"));
        let _ = write!(self.combined, "{}", now.strftime("%d/%b/%Y:%H:%M:%S +0000"));
    }
}

/// The `Date` field's value.
pub(crate) fn with_http_date<T>(look: impl FnOnce(&str) -> T) -> T {
    SECOND.with_borrow_mut(|second| {
        second.is(Timestamp::now());
        look(&second.http)
    })
}

/// RFC 3339 with milliseconds, now.
pub(crate) fn iso_now() -> String {
    with_iso_now(str::to_owned)
}

/// RFC 3339 with milliseconds, now.
pub(crate) fn with_iso_now<T>(look: impl FnOnce(&str) -> T) -> T {
    let now = Timestamp::now();
    SECOND.with_borrow_mut(|second| {
        second.is(now);
        let length = second.iso.len();
        let millis = now.subsec_millisecond().clamp(0, 999) as u32;
        second.iso.push('.');
        for of in [100, 10, 1] {
            second.iso.push(char::from_digit(millis / of % 10, 10).unwrap_or('0'));
        }
        second.iso.push('Z');
        let seen = look(&second.iso);
        second.iso.truncate(length);
        seen
    })
}

/// As the Combined Log Format writes it, now.
pub(crate) fn combined_now() -> String {
    SECOND.with_borrow_mut(|second| {
        second.is(Timestamp::now());
        second.combined.clone()
    })
}

/// RFC 3339 with milliseconds.
pub(crate) fn iso(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_ways_say_the_same_second() {
        let mut second = Second { unix: 0, http: String::new(), iso: String::new(), combined: String::new() };
        second.is(Timestamp::from_second(784_111_777).unwrap());
        assert_eq!(second.http, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(second.iso, "1994-11-06T08:49:37");
        assert_eq!(second.combined, "06/Nov/1994:08:49:37 +0000");
        let (before, now, after) = (iso(Timestamp::now()), iso_now(), iso(Timestamp::now()));
        assert!(before <= now && now <= after, "{before} {now} {after}");
    }
}

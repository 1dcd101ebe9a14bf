//! Times as text, made once a second per thread and not once a request.

use std::{
    cell::{Cell, RefCell},
    fmt::Write as _,
    time::{Duration, Instant, UNIX_EPOCH},
};

use jiff::Timestamp;

/// How long the wall clock is not asked again. Between two askings it is the other clock that runs, which every request
/// asks anyway; so a wall clock that is put right is followed within a second.
const ASKED: i64 = 1_000_000;

thread_local! {
    /// When the wall clock was asked, and what it said, in microseconds since 1970.
    static WALL: Cell<Option<(Instant, i64)>> = const { Cell::new(None) };
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

/// What the wall clock said at `at`, in microseconds since 1970.
pub(crate) fn wall(at: Instant) -> i64 {
    let since = |then: Instant| match at.checked_duration_since(then) {
        Some(later) => i64::try_from(later.as_micros()).unwrap_or(i64::MAX),
        None => i64::try_from(then.duration_since(at).as_micros()).map_or(i64::MIN, |earlier| -earlier),
    };
    let known = WALL.get().map(|(asked, said)| (since(asked), said));
    match known {
        Some((passed, said)) if passed.unsigned_abs() < ASKED.unsigned_abs() => said + passed,
        _ => {
            let (asked, said) = (Instant::now(), Timestamp::now().as_microsecond());
            WALL.set(Some((asked, said)));
            said.saturating_add(since(asked))
        }
    }
}

impl Second {
    fn is(&mut self, unix: i64) {
        if self.unix == unix {
            return;
        }
        self.unix = unix;
        self.http =
            httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(u64::try_from(unix).unwrap_or(0)));
        self.iso.clear();
        self.combined.clear();
        // Writing into a string does not fail.
        let second = Timestamp::from_second(unix).unwrap_or_default();
        let _ = write!(self.iso, "{}", second.strftime("%Y-%m-%dT%H:%M:%S"));
        let _ = write!(self.combined, "{}", second.strftime("%d/%b/%Y:%H:%M:%S +0000"));
    }
}

/// The `Date` field's value.
pub(crate) fn with_http_date<T>(look: impl FnOnce(&str) -> T) -> T {
    SECOND.with_borrow_mut(|second| {
        second.is(wall(Instant::now()).div_euclid(1_000_000));
        look(&second.http)
    })
}

/// RFC 3339 with milliseconds, now.
pub(crate) fn iso_now() -> String {
    with_iso(Instant::now(), str::to_owned)
}

/// RFC 3339 with milliseconds.
pub(crate) fn with_iso<T>(at: Instant, look: impl FnOnce(&str) -> T) -> T {
    let now = wall(at);
    SECOND.with_borrow_mut(|second| {
        second.is(now.div_euclid(1_000_000));
        let length = second.iso.len();
        let millis = now.rem_euclid(1_000_000) / 1000;
        let digit = |of: i64| char::from(b'0' + (millis / of % 10) as u8);
        second.iso.extend(['.', digit(100), digit(10), digit(1), 'Z']);
        let seen = look(&second.iso);
        second.iso.truncate(length);
        seen
    })
}

/// As the Combined Log Format writes it, now.
pub(crate) fn combined_now() -> String {
    SECOND.with_borrow_mut(|second| {
        second.is(wall(Instant::now()).div_euclid(1_000_000));
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
    fn the_wall_clock_is_told_of_any_moment() {
        let (now, wall_now) = (Instant::now(), Timestamp::now().as_microsecond());
        let second = Duration::from_secs(1);

        for (at, away) in [
            (now, 0),
            (now - second / 100, -10_000),
            (now - 5 * second, -5_000_000),
            (now + 5 * second, 5_000_000),
        ] {
            let wrong_by = wall(at) - (wall_now + away);
            assert!(wrong_by.abs() < 100_000, "{away}: {wrong_by}");
        }
    }

    #[test]
    fn the_three_ways_say_the_same_second() {
        let mut second = Second { unix: 0, http: String::new(), iso: String::new(), combined: String::new() };
        second.is(784_111_777);
        assert_eq!(second.http, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(second.iso, "1994-11-06T08:49:37");
        assert_eq!(second.combined, "06/Nov/1994:08:49:37 +0000");
        let (before, now, after) = (iso(Timestamp::now()), iso_now(), iso(Timestamp::now()));
        assert!(before <= now && now <= after, "{before} {now} {after}");
    }
}

//! Times as text.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use jiff::Timestamp;

thread_local! {
    static DATE: RefCell<(Option<Instant>, std::sync::Arc<str>)> = RefCell::new((None, "".into()));
}

/// The `Date` field's value; made at most twice a second per thread.
pub(crate) fn http_date() -> std::sync::Arc<str> {
    DATE.with_borrow_mut(|(made, text)| {
        if made.is_none_or(|made| made.elapsed() > Duration::from_millis(500)) {
            let seconds = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
            *text = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).into();
            *made = Some(Instant::now());
        }
        text.clone()
    })
}

/// RFC 3339 with milliseconds.
pub(crate) fn iso(at: Timestamp) -> String {
    format!("{at:.3}")
}

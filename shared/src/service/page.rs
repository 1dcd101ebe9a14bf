//! Lists: pages with an opaque cursor, the same on the wire from every service.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::problem::{Problem, kind};

/// One page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Send it as `cursor` to get what follows; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of `rows`, of which one more than `limit` was asked for to know whether more follow.
    pub fn of<R>(mut rows: Vec<R>, limit: Limit, place: impl Fn(&R) -> &str, item: impl Fn(R) -> T) -> Self {
        let more = rows.len() > limit.0;
        rows.truncate(limit.0);
        let next_cursor = rows.last().filter(|_| more).map(|row| URL_SAFE_NO_PAD.encode(place(row)));
        Self { items: rows.into_iter().map(item).collect(), next_cursor }
    }
}

/// The place that a cursor names, as whatever marks places in the list: an id, a name.
///
/// # Errors
/// 422 for what [`Page::of`] never gave.
pub fn place_of<P: std::str::FromStr>(cursor: Option<&str>) -> Result<Option<P>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let place = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    // PostgreSQL refuses U+0000 in text.
    let place = place.filter(|place| !place.contains('\0'));
    place.and_then(|place| place.parse().ok()).map(Some).ok_or_else(|| {
        Problem::new(kind::INVALID_INPUT).field("cursor", "Send a `next_cursor` as it was given, or none.")
    })
}

/// How many items a page may hold: 1 to 100, 50 when nothing is said.
#[derive(Debug, Clone, Copy)]
pub struct Limit(usize);

impl Limit {
    /// One more than the page: whether more follow.
    pub fn and_one(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX - 1) + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match usize::deserialize(from)? {
            limit @ 1..=100 => Ok(Self(limit)),
            _ => Err(D::Error::custom("limit: expected 1 to 100")),
        }
    }
}

//! Lists are pages with a cursor.

use irongate_shared::problem::{Problem, kind};

pub(super) use irongate_shared::service::page::Page;

/// A limit from a query string, within bounds.
pub(super) fn limit(asked: Option<i64>, default: i64, most: i64) -> Result<i64, Problem> {
    match asked {
        None => Ok(default),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::new(kind::INVALID_INPUT).field("limit", format!("Ask for 1 to {most}."))),
    }
}

//! Versions on the wire: `ETag`, `If-Match`, `If-None-Match`.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderName},
};

use crate::account::IfMatch;

/// The strong validator of a version.
pub(crate) fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

impl FromRequest for IfMatch {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    /// No header means any version, as `*` does; one that holds no version of ours matches none.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(match tags(request, &header::IF_MATCH) {
            None => Self::Any,
            Some(tags) if tags == "*" => Self::Any,
            Some(tags) => Self::Versions(versions(&tags, false)),
        }))
    }
}

/// Whether the client has `version` already (`If-None-Match`).
pub(crate) fn is_known(request: &HttpRequest, version: i64) -> bool {
    tags(request, &header::IF_NONE_MATCH)
        .is_some_and(|tags| tags == "*" || versions(&tags, true).contains(&version))
}

fn tags(request: &HttpRequest, name: &HeaderName) -> Option<String> {
    let values: Vec<_> = request.headers().get_all(name).filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(",").trim().to_owned())
}

/// `If-Match` compares strongly, `If-None-Match` weakly (RFC 9110 §13.1): a weak tag counts only for the latter.
fn versions(tags: &str, weak: bool) -> Vec<i64> {
    let unquoted = |tag: &str| {
        let tag = tag.trim();
        let tag = if weak { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
        tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
    };
    tags.split(',').filter_map(unquoted).collect()
}

//! What an error looks like to a client: a problem document (RFC 9457), the same from every program.
//!
//! A [`Problem`] holds two texts. `detail` is for the person who sent the request and says what to do; `cause` is
//! for the log and never leaves the process. A service turns its own error enum into a `Problem` in one
//! `impl From<…Error> for Problem`; nothing else builds error answers.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// A sort of problem: a stable name, the status it answers with, and a title that a person understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Last part of the `type` URN; stable, programs may compare it.
    pub slug: &'static str,
    pub status: u16,
    pub title: &'static str,
}

impl Kind {
    pub const fn new(slug: &'static str, status: u16, title: &'static str) -> Self {
        Self { slug, status, title }
    }
}

/// Kinds that more than one program answers with. What only one subject knows stands beside that subject.
pub mod kind {
    use super::Kind;

    pub const MALFORMED_REQUEST: Kind = Kind::new("malformed-request", 400, "The request could not be read");
    pub const UNAUTHENTICATED: Kind = Kind::new("unauthenticated", 401, "You are not signed in");
    pub const FORBIDDEN: Kind = Kind::new("forbidden", 403, "You may not do this");
    pub const NOT_FOUND: Kind = Kind::new("not-found", 404, "There is nothing here");
    pub const METHOD_NOT_ALLOWED: Kind =
        Kind::new("method-not-allowed", 405, "This address does not take this method");
    pub const CONFLICT: Kind = Kind::new("conflict", 409, "This conflicts with what is there");
    pub const GONE: Kind = Kind::new("gone", 410, "This is no longer there");
    pub const PRECONDITION_FAILED: Kind =
        Kind::new("precondition-failed", 412, "It was changed by somebody else meanwhile");
    pub const TOO_LARGE: Kind = Kind::new("too-large", 413, "The request is too large");
    pub const UNSUPPORTED_MEDIA_TYPE: Kind =
        Kind::new("unsupported-media-type", 415, "The content type is not supported");
    pub const INVALID_INPUT: Kind = Kind::new("invalid-input", 422, "Some of the input is not valid");
    pub const TOO_MANY_REQUESTS: Kind = Kind::new("too-many-requests", 429, "Too many requests");
    pub const INTERNAL: Kind = Kind::new("internal", 500, "Something went wrong on our side");
    pub const BAD_GATEWAY: Kind = Kind::new("bad-gateway", 502, "The service gave no usable answer");
    pub const UNAVAILABLE: Kind = Kind::new("unavailable", 503, "The service is not available right now");
    pub const GATEWAY_TIMEOUT: Kind =
        Kind::new("gateway-timeout", 504, "The service took too long to answer");
}

/// An error on its way to a client.
#[derive(Debug)]
pub struct Problem {
    pub kind: Kind,
    /// One or two sentences for a person: what happened, what helps.
    pub detail: Option<String>,
    /// Per input field, what is wrong with it.
    pub errors: BTreeMap<String, Vec<String>>,
    /// When trying again makes sense: `Retry-After`.
    pub retry_after: Option<Duration>,
    /// `WWW-Authenticate` (RFC 6750 §3).
    pub challenge: Option<&'static str>,
    /// `Allow`, with 405.
    pub allow: Option<String>,
    /// For the log alone.
    pub cause: Option<anyhow::Error>,
}

impl Problem {
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            detail: None,
            errors: BTreeMap::new(),
            retry_after: None,
            challenge: None,
            allow: None,
            cause: None,
        }
    }

    /// A 500: the client learns nothing, the log everything.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(kind::INTERNAL)
            .detail("Please try again; if it stays, tell the operator the request id.")
            .because(cause)
    }

    /// A 503 with `Retry-After`, for a dependency that is away.
    pub fn unavailable(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(kind::UNAVAILABLE)
            .detail("Please try again in a moment.")
            .retry_after(Duration::from_secs(2))
            .because(cause)
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn field(mut self, name: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.entry(name.into()).or_default().push(message.into());
        self
    }

    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    #[must_use]
    pub const fn challenge(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }

    #[must_use]
    pub fn allow(mut self, methods: String) -> Self {
        self.allow = Some(methods);
        self
    }

    #[must_use]
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// `Retry-After` in whole seconds, at least one (RFC 9110 §10.2.3).
    pub fn retry_after_secs(&self) -> Option<u64> {
        self.retry_after
            .map(|wait| wait.as_millis().div_ceil(1000).max(1))
            .map(|s| u64::try_from(s).unwrap_or(1))
    }

    /// The document for the request that met the problem.
    pub fn document(&self, instance: Option<&str>, request_id: Option<&str>) -> Document {
        Document {
            kind: format!("urn:irongate:problem:{}", self.kind.slug),
            title: self.kind.title.to_owned(),
            status: self.kind.status,
            detail: self.detail.clone(),
            instance: instance.map(str::to_owned),
            request_id: request_id.map(str::to_owned),
            errors: self.errors.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.title)?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// The body of an error answer, `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// Names the sort of problem; stable.
    #[serde(rename = "type")]
    #[schema(example = "urn:irongate:problem:invalid-input")]
    pub kind: String,
    /// The sort of problem in a few words.
    #[schema(example = "Some of the input is not valid")]
    pub title: String,
    /// The HTTP status, once more.
    #[schema(example = 422)]
    pub status: u16,
    /// What happened here and what helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The same as in the `X-Request-Id` header and in every log line of this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Per input field, what is wrong with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, Vec<String>>,
}

/// The media type of [`Document`].
pub const MEDIA_TYPE: &str = "application/problem+json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_stays_with_us() {
        let problem = Problem::internal(anyhow::anyhow!("password column missing"));

        let body = serde_json::to_string(&problem.document(Some("/user/me"), Some("r1"))).unwrap();

        assert!(!body.contains("password column"), "{body}");
        assert!(body.contains(r#""type":"urn:irongate:problem:internal""#), "{body}");
        assert!(body.contains(r#""request_id":"r1""#), "{body}");
    }

    #[test]
    fn retry_after_is_at_least_a_second() {
        let wait = |millis| {
            Problem::new(kind::UNAVAILABLE).retry_after(Duration::from_millis(millis)).retry_after_secs()
        };

        assert_eq!((wait(0), wait(1000), wait(1001)), (Some(1), Some(1), Some(2)));
    }
}

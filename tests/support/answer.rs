//! An HTTP answer that tells its whole story when a test did not expect it.

use reqwest::{Response, StatusCode, Version, header::HeaderMap};
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    request: String,
}

impl Answer {
    pub(crate) async fn read(request: String, response: Response) -> Self {
        let (status, version, headers) = (response.status(), response.version(), response.headers().clone());
        let body =
            response.text().await.unwrap_or_else(|why| panic!("{request}: the body breaks off: {why}"));
        Self { status, version, headers, body, request }
    }

    /// This answer, when it has the status; else the end of the test.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("no JSON ({why}): {self}"))
    }

    /// The problem document (RFC 9457) of a refusal with `status`.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{self}");
        for member in ["type", "title", "request_id"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no `{member}`: {self}");
        }
        problem
    }

    /// The refusal of a system that lacks something for the moment, which says when to come back.
    #[track_caller]
    pub(crate) fn unavailable(&self) {
        self.problem(503);
        assert!(self.header("retry-after").parse::<u32>().is_ok_and(|wait| wait > 0), "{self}");
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, version, headers, body, request } = self;
        writeln!(f, "{request}\n{version:?} {status}")?;
        for (name, value) in headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        write!(f, "\n{body}")
    }
}

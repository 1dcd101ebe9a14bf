//! Input as handlers take it: parsed, bounded, and refused as a problem document when it is not what was asked for.
//!
//! [`Body`] stands in for actix's `Json`: it refuses wrong content types (415), too large bodies (413), malformed
//! JSON (400), and unknown fields, wrong types and U+0000 with the field's name (422).

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest,
    dev::Payload,
    error::{PathError, QueryPayloadError},
    web,
};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use crate::problem::{Problem, kind};

/// The most that a JSON body may hold unless a route says otherwise with [`BodyLimit`].
const DEFAULT_LIMIT: usize = 64 << 10;

/// Put into a scope's `app_data` to change how large its JSON bodies may be.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

/// A JSON body of type `T`.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let bytes = read(request, payload.take());
        Box::pin(async move {
            if !is_json {
                return Err(no_json());
            }
            parse(&bytes.await?).map(Self)
        })
    }
}

/// A JSON body of type `T`, or no body at all.
#[derive(Debug)]
pub struct OptionalBody<T>(pub Option<T>);

impl<T: DeserializeOwned + 'static> FromRequest for OptionalBody<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let bytes = read(request, payload.take());
        Box::pin(async move {
            let bytes = bytes.await?;
            match (bytes.is_empty(), is_json) {
                (true, _) => Ok(Self(None)),
                (false, true) => parse(&bytes).map(|value| Self(Some(value))),
                (false, false) => Err(no_json()),
            }
        })
    }
}

fn read(
    request: &HttpRequest,
    mut payload: Payload,
) -> impl Future<Output = Result<BytesMut, Problem>> + use<> {
    let limit = request.app_data::<BodyLimit>().map_or(DEFAULT_LIMIT, |limit| limit.0);
    async move {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|why| {
                Problem::new(kind::MALFORMED_REQUEST).detail("The body ended early.").because(why)
            })?;
            if bytes.len() + chunk.len() > limit {
                return Err(Problem::new(kind::TOO_LARGE).detail(format!("The body may hold {limit} bytes.")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn no_json() -> Problem {
    Problem::new(kind::UNSUPPORTED_MEDIA_TYPE)
        .detail("Send the body as JSON, with the header Content-Type: application/json.")
}

/// `application/json` or any `…+json`; parameters do not matter (RFC 8259 defines none).
fn is_json(request: &HttpRequest) -> bool {
    let essence = request.content_type();
    essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json")
}

/// Reads a JSON text into a typed value, or says which field is wrong.
///
/// # Errors
/// 400 for what is no JSON at all, 422 with the field for JSON that does not fit `T` or holds U+0000.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // SECURITY: PostgreSQL refuses U+0000 in text, SQLite stores it. Only an escape can bring one: raw ones are
    // no JSON.
    if bytes.windows(6).any(|six| six == br"\u0000") && holds_nul(bytes) {
        return Err(Problem::new(kind::INVALID_INPUT).detail("Text may not hold the character U+0000."));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|why| {
        let field = why.path().to_string();
        refused(&field, why.inner())
    })?;
    json.end().map_err(|why| refused("", &why))?;
    Ok(value)
}

fn refused(field: &str, why: &serde_json::Error) -> Problem {
    // serde_json appends the place; in a body of one line it only distracts.
    let text = why.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match why.classify() {
        serde_json::error::Category::Data => {
            let problem = Problem::new(kind::INVALID_INPUT);
            match field {
                "" | "." => problem.detail(text),
                field => problem.field(field, text),
            }
        }
        _ => Problem::new(kind::MALFORMED_REQUEST).detail(format!("The body is not valid JSON: {why}.")),
    }
}

fn holds_nul(bytes: &[u8]) -> bool {
    fn in_value(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::String(text) => text.contains('\0'),
            serde_json::Value::Array(items) => items.iter().any(in_value),
            serde_json::Value::Object(fields) => {
                fields.iter().any(|(key, value)| key.contains('\0') || in_value(value))
            }
            _ => false,
        }
    }
    serde_json::from_slice(bytes).is_ok_and(|value| in_value(&value))
}

/// Query strings and path segments that do not fit their types.
pub(super) fn refusals(config: &mut web::ServiceConfig) {
    config
        .app_data(web::QueryConfig::default().error_handler(|why, _| {
            let detail = match &why {
                QueryPayloadError::Deserialize(why) => why.to_string(),
                _ => "The query string could not be read.".to_owned(),
            };
            Problem::new(kind::INVALID_INPUT).detail(detail).into()
        }))
        .app_data(web::PathConfig::default().error_handler(|why, _| match why {
            // An id that is none names nothing that could be found.
            PathError::Deserialize(_) => Problem::new(kind::NOT_FOUND).into(),
            why => Problem::new(kind::MALFORMED_REQUEST).detail(why.to_string()).into(),
        }));
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        #[allow(dead_code)]
        name: String,
    }

    fn refusal(text: &str) -> (u16, String) {
        let problem = parse::<Input>(text.as_bytes()).unwrap_err();
        let fields: Vec<_> =
            problem.errors.iter().map(|(name, said)| format!("{name}: {}", said.join("; "))).collect();
        (
            problem.kind.status,
            if fields.is_empty() { problem.detail.unwrap_or_default() } else { fields.join(", ") },
        )
    }

    #[test]
    fn a_refusal_names_the_field() {
        assert_eq!(
            refusal(r#"{"name": 1}"#),
            (422, "name: invalid type: integer `1`, expected a string".into())
        );
        assert_eq!(refusal(r#"{"nam": ""}"#), (422, "nam: unknown field `nam`, expected `name`".into()));
        assert_eq!(refusal("{}"), (422, "missing field `name`".into()));
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for text in ["", "{", r#"{"name": "x"} x"#, "\u{feff}{}"] {
            assert_eq!(refusal(text).0, 400, "{text:?}");
        }
    }

    #[test]
    fn nul_is_refused_however_it_is_written_and_an_escaped_backslash_is_not() {
        assert_eq!(refusal(r#"{"name": "a\u0000b"}"#).0, 422);
        assert!(parse::<Input>(br#"{"name": "a\\u0000b"}"#).is_ok());
        assert_eq!(refusal("{\"name\": \"a\0b\"}").0, 400);
    }
}

//! The refusals that an operation documents, in groups that handlers name: `responses((status = 200, …), Always)`.
//!
//! Each stands for what an extractor or the middleware around every handler can answer, so that the OpenAPI document
//! says all that a client may meet.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, header::HeaderBuilder},
};

use crate::problem::{self, Kind, kind};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $($kind:expr),+;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    [$($kind),+].into_iter().map(refusal).collect()
                }
            }
        )+
    };
}

refusals! {
    /// What can happen to any request.
    Always: kind::MALFORMED_REQUEST, kind::TOO_MANY_REQUESTS, kind::INTERNAL, kind::UNAVAILABLE;
    /// Extractor `Identity`.
    SignedIn: kind::UNAUTHENTICATED;
    /// Extractor `Admin`, and rules of the handler's own.
    MayRefuse: kind::FORBIDDEN;
    /// A path that names something.
    MayMiss: kind::NOT_FOUND;
    /// Extractor [`Body`](super::input::Body).
    TakesBody: kind::TOO_LARGE, kind::UNSUPPORTED_MEDIA_TYPE, kind::INVALID_INPUT;
    /// Query parameters and other checked input.
    TakesInput: kind::INVALID_INPUT;
    /// Something is taken or in the way.
    MayConflict: kind::CONFLICT;
    /// A link or a thing that is gone for good.
    MayBeGone: kind::GONE;
    /// `If-Match`.
    TakesIfMatch: kind::PRECONDITION_FAILED;
}

fn refusal(kind: Kind) -> (String, RefOr<Response>) {
    let document = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let mut response = ResponseBuilder::new().description(kind.title).content(problem::MEDIA_TYPE, document);
    if matches!(kind.status, 429 | 503) {
        let seconds =
            HeaderBuilder::new().description(Some("Seconds until trying again makes sense")).build();
        response = response.header("Retry-After", seconds);
    }
    (kind.status.to_string(), response.build().into())
}

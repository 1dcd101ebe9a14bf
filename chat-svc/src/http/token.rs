//! The access token itself, for asking another service on its owner's behalf.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header};
use irongate_shared::{problem::Problem, token::TokenError};

/// The token of `Authorization: Bearer …`; that it is valid, [`Identity`](irongate_shared::token::Identity) says.
pub(super) struct AccessToken(pub String);

impl FromRequest for AccessToken {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            value.and_then(|value| value.split_once(' ')).map(|(_, token)| token.trim_start().to_owned());
        ready(token.map(Self).ok_or_else(|| TokenError::Missing.into()))
    }
}

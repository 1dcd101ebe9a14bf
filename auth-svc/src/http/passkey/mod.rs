//! `/auth/passkeys`: keys in a phone, a laptop or a stick that sign in without a password.

pub(crate) mod end;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod register;
pub(crate) mod rename;

use actix_web::{HttpResponse, http::header};
use irongate_shared::{
    clock::Timestamp,
    problem::{Problem, kind},
};
use serde::Serialize;

use crate::{
    passkey::Begun,
    store::passkeys::{PasskeyId, PasskeyRow},
};

/// A passkey of yours.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Passkey {
    id: PasskeyId,
    #[schema(example = "My phone")]
    name: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

impl From<PasskeyRow> for Passkey {
    fn from(row: PasskeyRow) -> Self {
        Self { id: row.id, name: row.name, created_at: row.created_at_ms, last_used_at: row.last_used_at_ms }
    }
}

/// A challenge for the browser. Good once, for five minutes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Asked {
    /// To be sent back with what the browser makes of it.
    #[schema(example = "6m2XJkGJ0pVb1b3m0QxS9Z0o7Wn1Yx8k3f5Lq2Rt4Uc")]
    ceremony: String,
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON()` or `…parseRequestOptionsFromJSON()`.
    #[schema(value_type = Object)]
    public_key: serde_json::Value,
}

pub(crate) fn asked<Options: Serialize>(begun: Begun<Options>) -> HttpResponse {
    match serde_json::to_value(begun.public_key) {
        Ok(public_key) => HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .json(Asked { ceremony: begun.ceremony, public_key }),
        Err(why) => actix_web::ResponseError::error_response(&Problem::internal(why)),
    }
}

const LONGEST_NAME: usize = 64;

/// A name to tell passkeys apart by.
fn name_of(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits {
        Ok(name.to_owned())
    } else {
        Err(Problem::new(kind::INVALID_INPUT).field("name", format!("Use 1 to {LONGEST_NAME} characters.")))
    }
}

//! What can go wrong with a request, and whose fault it is.
//!
//! Status, text for the client, whether a retry is allowed and whether the connection survives all
//! follow from here, in matches without a catch-all, so that a new fault cannot be forgotten.

use http::StatusCode;
use std::time::Duration;

use crate::wire::{Malformed, body::BadBody, response::BadAnswer};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    Client(ClientFault),
    Upstream(UpstreamFault),
    Ourselves(OwnFault),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ClientFault {
    Malformed(Malformed),
    BadBody(BadBody),
    BadPath,
    BodyTooLarge {
        limit: u64,
    },
    SlowHead,
    SlowBody,
    Gone,
    NoRoute,
    NotAFile,
    /// A condition of the request (`If-Match`) does not hold.
    ConditionFailed,
    /// None of the file is within the range.
    NoSuchRange {
        length: u64,
    },
    MethodNotAllowed {
        allow: String,
    },
    BadUpgrade(&'static str),
    Unexpected,
    TooManyRequests {
        retry_after: Duration,
        limit: u32,
    },
    AddressDenied,
    OriginDenied,
    NoToken,
    BadToken(String),
    LacksRight(String),
    /// The scopes that are asked for, separated by spaces.
    LacksScope(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum UpstreamFault {
    NoneHealthy,
    Overloaded,
    Refused(String),
    ConnectTimeout,
    ClosedEarly,
    AnswerTimeout,
    BadAnswer(BadAnswer),
    BadBody(BadBody),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OwnFault {
    Identity(String),
    File(String),
    /// An answer could not be compressed.
    Coding(String),
}

impl From<ClientFault> for Fault {
    fn from(fault: ClientFault) -> Self {
        Fault::Client(fault)
    }
}

impl From<UpstreamFault> for Fault {
    fn from(fault: UpstreamFault) -> Self {
        Fault::Upstream(fault)
    }
}

impl From<OwnFault> for Fault {
    fn from(fault: OwnFault) -> Self {
        Fault::Ourselves(fault)
    }
}

impl Fault {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Fault::Client(fault) => match fault {
                ClientFault::Malformed(cause) => malformed_status(*cause),
                ClientFault::BadBody(_) | ClientFault::BadPath | ClientFault::BadUpgrade(_) => {
                    StatusCode::BAD_REQUEST
                }
                ClientFault::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                ClientFault::SlowHead | ClientFault::SlowBody => StatusCode::REQUEST_TIMEOUT,
                // Nobody reads it; the number is NGINX's, for the log.
                ClientFault::Gone => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
                ClientFault::NoRoute | ClientFault::NotAFile => StatusCode::NOT_FOUND,
                ClientFault::ConditionFailed => StatusCode::PRECONDITION_FAILED,
                ClientFault::NoSuchRange { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
                ClientFault::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
                ClientFault::Unexpected => StatusCode::EXPECTATION_FAILED,
                ClientFault::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
                ClientFault::AddressDenied
                | ClientFault::OriginDenied
                | ClientFault::LacksRight(_)
                | ClientFault::LacksScope(_) => StatusCode::FORBIDDEN,
                ClientFault::NoToken | ClientFault::BadToken(_) => StatusCode::UNAUTHORIZED,
            },
            Fault::Upstream(fault) => match fault {
                UpstreamFault::NoneHealthy | UpstreamFault::Overloaded | UpstreamFault::Refused(_) => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                UpstreamFault::ConnectTimeout | UpstreamFault::AnswerTimeout => StatusCode::GATEWAY_TIMEOUT,
                UpstreamFault::ClosedEarly | UpstreamFault::BadAnswer(_) | UpstreamFault::BadBody(_) => {
                    StatusCode::BAD_GATEWAY
                }
            },
            Fault::Ourselves(fault) => match fault {
                OwnFault::Identity(_) => StatusCode::SERVICE_UNAVAILABLE,
                OwnFault::File(_) | OwnFault::Coding(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// What the client reads: what happened, and where it helps what to do.
    pub(crate) fn detail(&self) -> String {
        match self {
            Fault::Client(fault) => match fault {
                ClientFault::Malformed(cause) => format!("The request was refused: {cause}."),
                ClientFault::BadBody(cause) => format!("The request body was refused: {cause}."),
                ClientFault::BadPath => "The path cannot be read in only one way.".into(),
                ClientFault::BodyTooLarge { limit } => {
                    format!("The request body is larger than the {limit} bytes allowed here.")
                }
                ClientFault::SlowHead => "The request head did not arrive in time.".into(),
                ClientFault::SlowBody => "The request body did not arrive in time.".into(),
                ClientFault::Gone => "The client closed the connection.".into(),
                ClientFault::NoRoute => "Nothing is served under this address.".into(),
                ClientFault::NotAFile => "There is no such page.".into(),
                ClientFault::ConditionFailed => "The file is another one than the request is about.".into(),
                ClientFault::NoSuchRange { length } => {
                    format!("The file has {length} bytes, and none of these.")
                }
                ClientFault::MethodNotAllowed { allow } => format!("Allowed here: {allow}."),
                ClientFault::BadUpgrade(what) => format!("The WebSocket handshake was refused: {what}."),
                ClientFault::Unexpected => "Only `Expect: 100-continue` is understood.".into(),
                ClientFault::TooManyRequests { retry_after, .. } => {
                    format!("Too many requests. Try again in {} s.", retry_after.as_secs().max(1))
                }
                ClientFault::AddressDenied => "Your address has no access here.".into(),
                ClientFault::OriginDenied => "Pages of this origin have no access here.".into(),
                ClientFault::NoToken => "Sign in to use this: an access token is required.".into(),
                ClientFault::BadToken(_) => "The access token is not valid. Sign in again.".into(),
                ClientFault::LacksRight(right) => format!("This needs {right}."),
                ClientFault::LacksScope(scopes) => format!("This needs a token of scope {scopes}."),
            },
            Fault::Upstream(fault) => match fault {
                UpstreamFault::NoneHealthy | UpstreamFault::Refused(_) => {
                    "The service is not available just now. Try again in a moment.".into()
                }
                UpstreamFault::Overloaded => "The service is busy. Try again in a moment.".into(),
                UpstreamFault::ConnectTimeout | UpstreamFault::AnswerTimeout => {
                    "The service did not answer in time.".into()
                }
                UpstreamFault::ClosedEarly | UpstreamFault::BadAnswer(_) | UpstreamFault::BadBody(_) => {
                    "The service gave no usable answer.".into()
                }
            },
            Fault::Ourselves(fault) => match fault {
                OwnFault::Identity(_) => {
                    "Access tokens cannot be checked just now. Try again in a moment.".into()
                }
                OwnFault::File(_) => "The page could not be read.".into(),
                OwnFault::Coding(_) => "The answer could not be compressed.".into(),
            },
        }
    }

    /// A short stable word for logs, metrics and the problem's `type`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Fault::Client(fault) => match fault {
                ClientFault::Malformed(_) => "malformed-request",
                ClientFault::BadBody(_) => "malformed-body",
                ClientFault::BadPath => "bad-path",
                ClientFault::BodyTooLarge { .. } => "body-too-large",
                ClientFault::SlowHead => "slow-head",
                ClientFault::SlowBody => "slow-body",
                ClientFault::Gone => "client-gone",
                ClientFault::NoRoute => "no-route",
                ClientFault::NotAFile => "not-found",
                ClientFault::ConditionFailed => "condition-failed",
                ClientFault::NoSuchRange { .. } => "range-not-satisfiable",
                ClientFault::MethodNotAllowed { .. } => "method-not-allowed",
                ClientFault::BadUpgrade(_) => "bad-upgrade",
                ClientFault::Unexpected => "expectation-failed",
                ClientFault::TooManyRequests { .. } => "too-many-requests",
                ClientFault::AddressDenied => "address-denied",
                ClientFault::OriginDenied => "origin-denied",
                ClientFault::NoToken => "token-required",
                ClientFault::BadToken(_) => "token-invalid",
                ClientFault::LacksRight(_) => "right-lacking",
                ClientFault::LacksScope(_) => "scope-lacking",
            },
            Fault::Upstream(fault) => match fault {
                UpstreamFault::NoneHealthy => "upstream-unavailable",
                UpstreamFault::Overloaded => "upstream-overloaded",
                UpstreamFault::Refused(_) => "upstream-refused",
                UpstreamFault::ConnectTimeout => "upstream-connect-timeout",
                UpstreamFault::ClosedEarly => "upstream-closed",
                UpstreamFault::AnswerTimeout => "upstream-timeout",
                UpstreamFault::BadAnswer(_) => "upstream-bad-answer",
                UpstreamFault::BadBody(_) => "upstream-bad-body",
            },
            Fault::Ourselves(fault) => match fault {
                OwnFault::Identity(_) => "identity-unavailable",
                OwnFault::File(_) => "file-unreadable",
                OwnFault::Coding(_) => "coding-failed",
            },
        }
    }

    /// What the log gets on top of the name: the cause, which the client is not told.
    pub(crate) fn cause(&self) -> String {
        match self {
            Fault::Client(ClientFault::Malformed(cause)) => cause.to_string(),
            Fault::Client(ClientFault::BadBody(cause)) => cause.to_string(),
            Fault::Client(ClientFault::BadToken(cause)) => cause.clone(),
            Fault::Upstream(fault) => match fault {
                UpstreamFault::NoneHealthy => "no server is healthy".to_owned(),
                UpstreamFault::Overloaded => {
                    "as many requests in flight as `max_in_flight` allows".to_owned()
                }
                UpstreamFault::Refused(cause) => cause.clone(),
                UpstreamFault::ConnectTimeout => "no connection in time".to_owned(),
                UpstreamFault::ClosedEarly => "closed the connection without an answer".to_owned(),
                UpstreamFault::AnswerTimeout => "no answer in time".to_owned(),
                UpstreamFault::BadAnswer(cause) => cause.to_string(),
                UpstreamFault::BadBody(cause) => cause.to_string(),
            },
            Fault::Ourselves(OwnFault::Identity(cause) | OwnFault::File(cause) | OwnFault::Coding(cause)) => {
                cause.clone()
            }
            Fault::Client(_) => self.name().to_owned(),
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Fault::Client(ClientFault::TooManyRequests { retry_after, .. }) => Some(*retry_after),
            Fault::Client(_) => None,
            Fault::Upstream(
                UpstreamFault::NoneHealthy | UpstreamFault::Refused(_) | UpstreamFault::Overloaded,
            ) => Some(Duration::from_secs(2)),
            Fault::Upstream(_) => None,
            Fault::Ourselves(OwnFault::Identity(_)) => Some(Duration::from_secs(2)),
            Fault::Ourselves(OwnFault::File(_) | OwnFault::Coding(_)) => None,
        }
    }

    /// Where the message's end is in doubt, the connection cannot carry another one.
    pub(crate) fn closes_connection(&self) -> bool {
        match self {
            Fault::Client(fault) => matches!(
                fault,
                ClientFault::Malformed(_)
                    | ClientFault::BadBody(_)
                    | ClientFault::BodyTooLarge { .. }
                    | ClientFault::SlowHead
                    | ClientFault::SlowBody
                    | ClientFault::Gone
                    | ClientFault::Unexpected
            ),
            Fault::Upstream(_) | Fault::Ourselves(_) => false,
        }
    }
}

fn malformed_status(cause: Malformed) -> StatusCode {
    match cause {
        Malformed::TargetTooLong => StatusCode::URI_TOO_LONG,
        Malformed::HeadTooLarge | Malformed::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Malformed::UnknownCoding | Malformed::UnknownProtocol => StatusCode::NOT_IMPLEMENTED,
        Malformed::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        Malformed::BareLineFeed
        | Malformed::BareCarriageReturn
        | Malformed::RequestLine
        | Malformed::Method
        | Malformed::TargetBytes
        | Malformed::TargetForm
        | Malformed::Folded
        | Malformed::FieldName
        | Malformed::FieldValue
        | Malformed::NoHost
        | Malformed::TwoHosts
        | Malformed::BadHost
        | Malformed::TwoLengths
        | Malformed::BadLength
        | Malformed::LengthAndCoding
        | Malformed::CodingInHttp10
        | Malformed::BadCoding
        | Malformed::ConnectionField => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_read_in_words_why_a_service_did_not_answer() {
        for fault in [
            UpstreamFault::NoneHealthy,
            UpstreamFault::Overloaded,
            UpstreamFault::ConnectTimeout,
            UpstreamFault::ClosedEarly,
            UpstreamFault::AnswerTimeout,
        ] {
            let fault = Fault::from(fault);
            assert_ne!(fault.cause(), fault.name());
        }
    }
}

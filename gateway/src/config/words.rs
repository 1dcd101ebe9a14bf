//! What may stand in the texts of a configuration that end up in a message or are compared with one: a value that could
//! never fit, or would break the message, is a mistake now rather than a riddle later.

use crate::wire::{is_token, is_value, request};

/// What is wrong, and what to write instead.
pub(super) type Wrong = (String, &'static str);

/// A host that routes go by: a name, an address, or `*.` and a name.
pub(super) fn host(text: &str) -> Result<(), Wrong> {
    if text.contains("://") {
        return Err((format!("`{text}` has a scheme, which no Host field has"), "write \"app.example\""));
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    if request::split_port(name).1.is_some() {
        return Err((format!("`{text}` has a port: routes go by names alone"), "write \"app.example\""));
    }
    if name.contains('*') || request::valid_authority(name).is_err() {
        return Err((format!("`{text}` is no host"), "write \"app.example\" or \"*.app.example\""));
    }
    Ok(())
}

/// What replaces a prefix in the request line.
pub(super) fn rewrite(text: &str) -> Result<(), Wrong> {
    if !text.starts_with('/') {
        return Err(("`rewrite` begins with /".to_owned(), "write \"/v1\""));
    }
    if text.contains('?') || request::target_text(text.as_bytes()).is_err() {
        let problem = format!("`{text}` in `rewrite` is no path");
        return Err((problem, "leave the query out, it stays, and escape what is not plain ASCII"));
    }
    Ok(())
}

/// Where a redirect leads to.
pub(super) fn redirect(text: &str) -> Result<(), Wrong> {
    no_variable(text)?;
    places(text, &["{path}", "{query}"])?;
    let leads = ["/", "http://", "https://", "{path}"].iter().any(|start| text.starts_with(start));
    if !leads || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err((
            format!("`{text}` is no address to go to"),
            "write \"https://app.example{path}{query}\"",
        ));
    }
    Ok(())
}

/// The places of a field that the gateway fills in for a service.
pub(crate) const PLACES: [&str; 3] = ["{client}", "{host}", "{scheme}"];

/// A field that a route sets on requests to a service.
pub(super) fn request_field(name: &str, value: &str) -> Result<(), Wrong> {
    field(name, value)?;
    let is_ours = crate::lane::proxy::headers::is_ours(name.as_bytes());
    if is_ours {
        return Err((format!("`{name}` is set by the gateway itself"), "leave it out"));
    }
    places(value, &PLACES)
}

/// A field that a route sets on answers.
pub(super) fn answer_field(name: &str, value: &str) -> Result<(), Wrong> {
    field(name, value)?;
    if name.eq_ignore_ascii_case("x-request-id") || name.eq_ignore_ascii_case("date") {
        return Err((format!("`{name}` is set by the gateway itself"), "leave it out"));
    }
    Ok(())
}

fn field(name: &str, value: &str) -> Result<(), Wrong> {
    if !is_token(name.as_bytes()) {
        return Err((format!("`{name}` is no header name"), "write \"x-name\""));
    }
    // SECURITY: smuggling and splitting. Where a message ends is for whoever writes it to say.
    let frames =
        ["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer"];
    if frames.iter().any(|one| name.eq_ignore_ascii_case(one)) || name.starts_with("proxy-") {
        return Err((
            format!("`{name}` is about one connection and set by the gateway itself"),
            "leave it out",
        ));
    }
    if !is_value(value.as_bytes()) {
        return Err((format!("the value of `{name}` holds a control character"), "write it without"));
    }
    no_variable(value)
}

/// Who comes from NGINX writes `$host`, and would find it in an answer as it stands.
fn no_variable(text: &str) -> Result<(), Wrong> {
    let is_variable = |rest: &str| rest.starts_with(|first: char| first.is_ascii_lowercase());
    if text.split('$').skip(1).any(is_variable) {
        return Err((
            format!("`{text}` names a variable of NGINX"),
            "see docs/from-nginx.md for the words here",
        ));
    }
    Ok(())
}

/// Every `{…}` is one that is filled in.
fn places(text: &str, known: &[&str]) -> Result<(), Wrong> {
    let unknown = text.split('{').skip(1).find_map(|rest| {
        let place = format!("{{{}", rest.split_inclusive('}').next().unwrap_or_default());
        (!known.contains(&place.as_str())).then_some(place)
    });
    match (unknown, known) {
        (None, _) => Ok(()),
        (Some(place), ["{path}", ..]) => {
            Err((format!("`{place}` is nothing that is filled in"), "known: {path}, {query}"))
        }
        (Some(place), _) => {
            Err((format!("`{place}` is nothing that is filled in"), "known: {client}, {host}, {scheme}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_nothing_else() {
        for good in ["app.example", "*.app.example", "localhost", "10.0.0.1", "[::1]", "a_b.example"] {
            assert_eq!(host(good), Ok(()), "{good}");
        }
        for bad in
            ["https://app.example", "app.example:443", "*", "*app.example", "a.*.example", "a/b", "", "a b"]
        {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_stand_in_a_message_is_refused() {
        assert_eq!(rewrite("/v1"), Ok(()));
        assert!(rewrite("v1").is_err() && rewrite("/a b").is_err() && rewrite("/a?b").is_err());
        for good in ["/x", "https://new.example{path}{query}", "{path}/"] {
            assert_eq!(redirect(good), Ok(()), "{good}");
        }
        for bad in ["x", "ftp://a/", "/a b", "https://a$request_uri", "/{uri}", "/{path"] {
            assert!(redirect(bad).is_err(), "{bad}");
        }
        assert_eq!(request_field("x-real-ip", "{client}"), Ok(()));
        assert_eq!(request_field("host", "api.internal"), Ok(()));
        for (name, value) in [
            ("content-length", "5"),
            ("Transfer-Encoding", "chunked"),
            ("connection", "close"),
            ("proxy-authorization", "x"),
            ("x-forwarded-for", "{client}"),
            ("x-auth-subject", "admin"),
            ("x-real-ip", "$remote_addr"),
            ("x-a", "{remote}"),
            ("x a", "b"),
            ("x-a", "b\nc"),
        ] {
            assert!(request_field(name, value).is_err(), "{name}: {value}");
        }
        assert_eq!(answer_field("cache-control", "public"), Ok(()));
        assert_eq!(answer_field("x-price", "5 $"), Ok(()));
        assert!(answer_field("content-length", "5").is_err() && answer_field("x-request-id", "a").is_err());
    }
}

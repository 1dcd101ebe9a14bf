//! `GET` and `HEAD /chat/attachments/{id}`

use std::ops::Range;

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    get, head,
    http::header::{self, HeaderMap, HeaderName},
    web,
};
use futures_util::stream;
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, MayMiss, SignedIn},
    token::Identity,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    attachment::{Attachments, StoreError, is_shown},
    room::{Attachment, AttachmentId},
};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// RFC 8187 §3.2.1: all but `attr-char`.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A file
///
/// For members of its room alone; one that is in no message yet, for its uploader. Conditional and range requests are
/// answered as such.
#[utoipa::path(
    tag = "attachments",
    security(("bearer" = [])),
    params(("id" = AttachmentId, Path)),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The part that was asked for", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "You have it"),
        (status = 416, description = "It has no such part"),
        SignedIn, MayMiss, Always,
    )
)]
#[get("/attachments/{id}")]
pub(crate) async fn show(
    attachments: web::Data<Attachments>,
    user: Identity,
    id: web::Path<AttachmentId>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    answer(&attachments, &user, *id, &request, true).await
}

/// What there is to know of a file without its bytes
#[utoipa::path(
    tag = "attachments",
    security(("bearer" = [])),
    params(("id" = AttachmentId, Path)),
    responses(
        (status = 200, description = "The headers of the file"),
        SignedIn, MayMiss, Always,
    )
)]
#[head("/attachments/{id}")]
pub(crate) async fn head(
    attachments: web::Data<Attachments>,
    user: Identity,
    id: web::Path<AttachmentId>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    answer(&attachments, &user, *id, &request, false).await
}

async fn answer(
    attachments: &Attachments,
    user: &Identity,
    id: AttachmentId,
    request: &HttpRequest,
    with_body: bool,
) -> Result<HttpResponse, Problem> {
    let attachment: Attachment = attachments.find(id, user.user).await?.into();
    let size = u64::try_from(attachment.size).unwrap_or(0);
    // What stands under an id never changes.
    let etag = format!("\"{id}\"");
    let part = part(request.headers(), &etag, size);
    let mut answer = match part {
        Part::Known => HttpResponse::NotModified(),
        Part::All => HttpResponse::Ok(),
        Part::Some(_) => HttpResponse::PartialContent(),
        Part::None => HttpResponse::RangeNotSatisfiable(),
    };
    answer
        .insert_header((header::ETAG, etag))
        .insert_header((header::CACHE_CONTROL, "private, max-age=31536000, immutable"))
        .insert_header((header::VARY, "Authorization"))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        // SECURITY: what users upload runs nowhere, whatever it is: not in our origin, not in another's page.
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .insert_header((RESOURCE_POLICY, "same-origin"))
        .insert_header((header::CONTENT_DISPOSITION, disposition(&attachment)));
    let range = match part {
        Part::Known => return Ok(answer.finish()),
        Part::None => {
            return Ok(answer.insert_header((header::CONTENT_RANGE, format!("bytes */{size}"))).finish());
        }
        Part::All => 0..size,
        Part::Some(range) => {
            let said = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            answer.insert_header((header::CONTENT_RANGE, said));
            range
        }
    };
    let length = range.end - range.start;
    answer.content_type(attachment.content_type);
    if with_body {
        let contents = attachments.read(id, range).await?;
        Ok(answer.body(SizedStream::new(length, contents)))
    } else {
        Ok(answer.body(SizedStream::new(length, stream::empty::<Result<web::Bytes, StoreError>>())))
    }
}

/// What of a file is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Nothing: the client has it.
    Known,
    All,
    Some(Range<u64>),
    /// Something that is not there.
    None,
}

/// RFC 9110 §13.2.2 for one entity tag, and §14.2; several ranges are answered with the whole, as it allows.
fn part(headers: &HeaderMap, etag: &str, size: u64) -> Part {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let named = |tags: &str| {
        tags.split(',').any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == etag)
    };
    if text(header::IF_NONE_MATCH).is_some_and(named) {
        return Part::Known;
    }
    // A weak tag is no strong match (§13.1.5), a date none of ours.
    if text(header::IF_RANGE).is_some_and(|tag| tag.trim() != etag) {
        return Part::All;
    }
    let Some(asked) = text(header::RANGE).and_then(|range| range.trim().strip_prefix("bytes=")) else {
        return Part::All;
    };
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok());
    let Some((first, last)) = asked.split_once('-') else { return Part::All };
    match (number(first.trim()), number(last.trim())) {
        (Some(None), Some(Some(suffix))) if first.trim().is_empty() => match suffix.min(size) {
            0 => Part::None,
            suffix => Part::Some(size - suffix..size),
        },
        (Some(Some(first)), Some(last_number)) => {
            let open = last.trim().is_empty();
            match last_number {
                None if !open => Part::All,
                Some(last) if last < first => Part::All,
                _ if first >= size => Part::None,
                None => Part::Some(first..size),
                Some(last) => Part::Some(first..last.saturating_add(1).min(size)),
            }
        }
        _ => Part::All,
    }
}

/// RFC 6266 with the name of RFC 8187, and one in ASCII for those who know only that.
fn disposition(attachment: &Attachment) -> String {
    let kind = if is_shown(attachment) { "inline" } else { "attachment" };
    // A percent sign is left out too: some take it for an encoding here.
    let plain: String = attachment
        .name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    let encoded = utf8_percent_encode(&attachment.name, NAME);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(HeaderName, &str)], size: u64) -> Part {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        part(&headers.collect(), "\"e\"", size)
    }

    #[test]
    fn ranges_are_what_rfc_9110_says() {
        for (range, wanted) in [
            ("bytes=0-0", Part::Some(0..1)),
            ("bytes=2-5", Part::Some(2..6)),
            ("bytes=2-", Part::Some(2..10)),
            ("bytes=2-99", Part::Some(2..10)),
            ("bytes=-3", Part::Some(7..10)),
            ("bytes=-99", Part::Some(0..10)),
            ("bytes=-0", Part::None),
            ("bytes=10-", Part::None),
            ("bytes=5-2", Part::All),
            ("bytes=0-1,3-4", Part::All),
            ("bytes=a-b", Part::All),
            ("bytes=-", Part::All),
            ("bytes=99999999999999999999-", Part::All),
            ("lines=0-1", Part::All),
        ] {
            assert_eq!(of(&[(header::RANGE, range)], 10), wanted, "{range}");
        }
        assert_eq!(of(&[(header::RANGE, "bytes=-5")], 0), Part::None);
        assert_eq!(of(&[(header::RANGE, "bytes=0-")], 0), Part::None);
    }

    #[test]
    fn conditions_come_before_ranges() {
        let range = (header::RANGE, "bytes=2-5");

        assert_eq!(of(&[(header::IF_NONE_MATCH, "\"x\", W/\"e\""), range.clone()], 10), Part::Known);
        assert_eq!(of(&[(header::IF_NONE_MATCH, "*")], 10), Part::Known);
        assert_eq!(of(&[(header::IF_NONE_MATCH, "\"x\""), range.clone()], 10), Part::Some(2..6));
        assert_eq!(of(&[(header::IF_RANGE, "\"e\""), range.clone()], 10), Part::Some(2..6));
        assert_eq!(of(&[(header::IF_RANGE, "W/\"e\""), range], 10), Part::All);
    }

    #[test]
    fn a_name_is_said_in_both_ways_and_breaks_out_of_neither() {
        let file = |name: &str, content_type: &str| Attachment {
            id: AttachmentId::new(),
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            size: 1,
            width: None,
            height: None,
        };

        assert_eq!(
            disposition(&file("Größe \"1\"%.png", "image/png")),
            "inline; filename=\"Gr__e _1__.png\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22%25.png"
        );
        assert_eq!(
            disposition(&file("a.svg", "image/svg+xml")),
            "attachment; filename=\"a.svg\"; filename*=UTF-8''a.svg"
        );
    }
}

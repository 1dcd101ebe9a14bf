//! A file in a message: what others are told of it.

use irongate_shared::text_id;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::BadText;

text_id! {
    /// An uploaded file.
    AttachmentId
}

/// The most files of one message.
pub(crate) const MOST_ATTACHMENTS: usize = 10;

/// A file as messages show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Attachment {
    pub id: AttachmentId,
    pub name: String,
    /// What it was said to be, where nothing speaks against it.
    #[schema(example = "image/png")]
    pub content_type: String,
    /// In bytes.
    pub size: i64,
    /// Pixels; of images alone.
    pub width: Option<i64>,
    pub height: Option<i64>,
}

/// What a file is called: one name, no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName(String);

impl FileName {
    const MOST: usize = 200;

    pub(crate) fn parse(text: &str) -> Result<Self, BadText> {
        let text = text.trim();
        if !(1..=Self::MOST).contains(&text.chars().count()) {
            return Err(BadText("Name the file in 1 to 200 characters."));
        }
        // SECURITY: a direction override makes `gpj.exe` read as `exe.jpg`, a slash makes a name a path.
        let misleading = |c: char| {
            c.is_control()
                || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if text.contains(misleading) {
            return Err(BadText("The file's name holds characters that cannot be shown."));
        }
        Ok(Self(text.replace(['/', '\\'], "_")))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_no_path_and_shows_what_it_is() {
        for (typed, kept) in [
            (" plan.pdf ", Some("plan.pdf")),
            ("Grüße 日本.txt", Some("Grüße 日本.txt")),
            ("../../etc/passwd", Some(".._.._etc_passwd")),
            (r"C:\secret.txt", Some("C:_secret.txt")),
            ("", None),
            ("a\nb", None),
            ("exe.\u{202e}gpj", None),
        ] {
            assert_eq!(FileName::parse(typed).ok().as_ref().map(FileName::as_str), kept, "{typed}");
        }
        assert!(FileName::parse(&"x".repeat(201)).is_err());
    }
}

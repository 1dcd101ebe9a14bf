//! Text that users type, checked once where it comes in.

use irongate_shared::problem::{Problem, kind};
use unicode_normalization::UnicodeNormalization as _;

use super::Refused;

/// `Name::parse(text)` trims, and refuses what is empty, too long or holds control characters.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $least:literal..=$most:literal $unit:literal, $allow:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub(crate) struct $name(String);

        impl $name {
            pub(crate) fn parse(text: &str) -> Result<Self, BadText> {
                let text = text.trim();
                let length = text.chars().count();
                if !($least..=$most).contains(&length) {
                    return Err(BadText(concat!("Write ", $least, " to ", $most, " ", $unit, ".")));
                }
                let allowed: fn(char) -> bool = $allow;
                if text.chars().all(allowed) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadText("It holds characters that cannot be shown."))
                }
            }

            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

/// What is wrong with a text, as a sentence for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadText(pub(crate) &'static str);

impl BadText {
    pub(crate) fn in_field(self, field: &'static str) -> Problem {
        Problem::new(kind::INVALID_INPUT).field(field, self.0)
    }

    pub(crate) const fn refused(self, field: &'static str) -> Refused {
        Refused::Invalid { field, message: self.0 }
    }
}

text! {
    /// What a room is called.
    RoomName, 1..=80 "characters", |c| !c.is_control()
}

text! {
    /// What a room is about; may be empty.
    Topic, 0..=300 "characters", |c| !c.is_control()
}

text! {
    /// What a message says. Lines and tabs are text, other control characters are not.
    Body, 1..=8000 "characters", |c| !c.is_control() || matches!(c, '\n' | '\t' | '\r')
}

text! {
    /// The sender's own name for a message: sent twice, it is stored once.
    ClientId, 1..=64 "characters", |c| c.is_ascii_graphic()
}

text! {
    /// A reaction: one emoji, whatever number of code points it takes.
    Emoji, 1..=16 "characters", |c| !c.is_control() && !c.is_whitespace() && !c.is_ascii_alphabetic()
}

impl Body {
    /// What stands beside attachments: may be nothing.
    pub(crate) fn caption(text: &str) -> Result<Self, BadText> {
        if text.trim().is_empty() { Ok(Self(String::new())) } else { Self::parse(text) }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl RoomName {
    /// As it is searched and sorted by.
    pub(crate) fn key(&self) -> String {
        folded(&self.0)
    }
}

/// What is searched for, as both databases read it: phrases in quotes, all of which must be there.
///
/// SECURITY: a query language is code. Each word goes in as a quoted phrase without any character that means something
/// in FTS5's or PostgreSQL's language, so that no text is an error, an operator or another column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words(String);

impl Words {
    const MOST: usize = 200;

    /// Words, and phrases in quotes; a quote that is not closed goes on to the end.
    pub(crate) fn parse(text: &str) -> Result<Self, BadText> {
        if text.chars().count() > Self::MOST {
            return Err(BadText("Search for at most 200 characters."));
        }
        let mut phrases = Vec::new();
        for (number, part) in text.split('"').enumerate() {
            let quoted = number % 2 == 1;
            if quoted {
                phrases.push(phrase(part));
            } else {
                phrases.extend(part.split(|c: char| c.is_whitespace() || c.is_control()).map(phrase));
            }
        }
        // PostgreSQL passes over a phrase without words, FTS5 finds nothing then.
        phrases.retain(|phrase| phrase.contains(char::is_alphanumeric));
        if phrases.is_empty() {
            return Err(BadText("Write a word to search for."));
        }
        Ok(Self(phrases.iter().map(|phrase| format!("\"{phrase}\"")).collect::<Vec<_>>().join(" ")))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The same punctuation ends a word here as in the index (`migrations/`).
fn phrase(part: &str) -> String {
    let spaced = part.replace(|c: char| c.is_control() || c.is_ascii_punctuation(), " ");
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same for texts that a person takes for the same.
pub(crate) fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// What all accounts are called that are no more; nobody is called by it.
pub(crate) const DELETED: &str = "deleted";

/// The names after `@` in a text, folded, each once, at most 20.
pub(crate) fn mentions(body: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut before = ' ';
    for (at, character) in body.char_indices() {
        if character == '@' && !before.is_alphanumeric() && before != '@' {
            let rest = body.get(at + 1..).unwrap_or_default();
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.'))
                .unwrap_or(rest.len());
            // A full stop after a name ends the sentence.
            let name = folded(rest.get(..end).unwrap_or_default().trim_end_matches('.'));
            if !name.is_empty() && name != DELETED && !found.contains(&name) && found.len() < 20 {
                found.push(name);
            }
        }
        before = character;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_names_after_an_at_sign_and_no_mail_addresses() {
        assert_eq!(
            mentions("@Ann and (@bob_b), not ann@example.org. Ask @ann, @Zoë."),
            ["ann", "bob_b", "zoë"]
        );
        assert_eq!(mentions("@@ann @ alone @deleted"), Vec::<String>::new());
    }

    #[test]
    fn what_is_searched_for_becomes_quoted_phrases_whatever_was_typed() {
        for (typed, searched) in [
            ("seeds", r#""seeds""#),
            (" two  words ", r#""two" "words""#),
            (r#"say "two words" now"#, r#""say" "two words" "now""#),
            (r#"never "closed here"#, r#""never" "closed here""#),
            ("NOT a OR b*", r#""NOT" "a" "OR" "b""#),
            ("body:x ^y NEAR(a, 2)", r#""body x" "y" "NEAR a" "2""#),
            ("it's example.org\0!", r#""it s" "example org""#),
            ("Zoë — 日本", r#""Zoë" "日本""#),
        ] {
            assert_eq!(Words::parse(typed).unwrap().as_str(), searched, "{typed}");
        }
        for nothing in ["", "  ", "\"\"", "*", "\0", "— !"] {
            assert!(Words::parse(nothing).is_err(), "{nothing}");
        }
        assert!(Words::parse(&"x".repeat(200)).is_ok());
        assert!(Words::parse(&"x".repeat(201)).is_err());
    }

    #[test]
    fn a_body_is_trimmed_and_may_have_lines_but_no_other_control_characters() {
        assert_eq!(Body::parse("  a\nb ").unwrap().as_str(), "a\nb");
        assert!(Body::parse(" \n ").is_err());
        assert!(Body::parse("a\u{7}b").is_err());
        assert!(Body::parse(&"x".repeat(8000)).is_ok());
        assert!(Body::parse(&"x".repeat(8001)).is_err());
    }

    #[test]
    fn an_emoji_may_take_several_code_points_but_is_no_word() {
        assert!(Emoji::parse("👍🏽").is_ok());
        assert!(Emoji::parse("👩‍👩‍👧").is_ok());
        assert!(Emoji::parse("yes").is_err());
        assert!(Emoji::parse("").is_err());
    }
}

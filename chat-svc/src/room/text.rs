//! Text that users type, checked once where it comes in.

use irongate_shared::problem::{Problem, kind};
use unicode_normalization::UnicodeNormalization as _;

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

impl RoomName {
    /// As it is searched and sorted by.
    pub(crate) fn key(&self) -> String {
        folded(&self.0)
    }
}

/// The same for texts that a person takes for the same.
pub(crate) fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

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
            if !name.is_empty() && !found.contains(&name) && found.len() < 20 {
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
        assert_eq!(mentions("@@ann @ alone"), Vec::<String>::new());
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

//! Which passwords are accepted.

use std::{collections::HashSet, sync::LazyLock};

use crate::secret::Secret;

/// Passwords that are tried first by everybody who guesses.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("common.txt").lines().collect());

/// A password that may be stored.
#[derive(Debug, Clone)]
pub struct Password(Secret<String>);

/// Why a password is not accepted, in words for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    #[error("Use at least {} characters.", Password::MIN_CHARS)]
    TooShort,
    #[error("Use at most {} bytes; a letter outside A to Z takes two or more.", Password::MAX_BYTES)]
    TooLong,
    #[error("This is one of the passwords that everybody tries first. Choose another.")]
    Common,
    #[error("Do not use your name or e-mail address as the password.")]
    Name,
    #[error("A password may not hold the character U+0000.")]
    Nul,
}

impl Password {
    pub const MIN_CHARS: usize = 8;

    /// What bcrypt takes with its closing NUL: more would be cut off and not count.
    pub const MAX_BYTES: usize = 71;

    /// Accepts `text` as the password of somebody whose `names` are given (username, e-mail address).
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str, names: &[&str]) -> Result<Self, Weakness> {
        if text.contains('\0') {
            return Err(Weakness::Nul);
        }
        if text.chars().count() < Self::MIN_CHARS {
            return Err(Weakness::TooShort);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(Weakness::TooLong);
        }
        let folded = text.to_lowercase();
        if COMMON.contains(folded.as_str()) || is_one_character(&folded) {
            return Err(Weakness::Common);
        }
        if names.iter().any(|name| name.to_lowercase() == folded) {
            return Err(Weakness::Name);
        }
        Ok(Self(Secret::new(text.to_owned())))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.expose()
    }
}

fn is_one_character(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    chars.all(|c| Some(c) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_about_length_and_guessing() {
        let verdict = |text: &str| Password::parse(text, &["annabella", "ann@example.org"]).err();

        assert_eq!(verdict("correct horse battery staple"), None);
        assert_eq!(verdict("1234567"), Some(Weakness::TooShort));
        assert_eq!(verdict("Password1"), Some(Weakness::Common));
        assert_eq!(verdict("aaaaaaaaaaaa"), Some(Weakness::Common));
        assert_eq!(verdict("Annabella"), Some(Weakness::Name));
        assert_eq!(verdict("tab\0tab tab"), Some(Weakness::Nul));
        assert_eq!(verdict(&"xy".repeat(35)), None);
        assert_eq!(verdict(&"é7".repeat(24)), Some(Weakness::TooLong), "72 bytes in 48 characters");
    }

    #[test]
    fn the_list_holds_only_what_the_length_lets_through() {
        assert!(COMMON.len() > 200);
        assert!(
            COMMON
                .iter()
                .all(|word| word.chars().count() >= Password::MIN_CHARS && *word == word.to_lowercase())
        );
    }
}

//! Which names, addresses and texts are accepted. Each type is parsed once, at the border.

use serde::Serialize;

/// A username: part of addresses, typed after an `@`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Username(String);

impl Username {
    pub(crate) const MIN_LENGTH: usize = 3;
    pub(crate) const MAX_LENGTH: usize = 32;

    /// For browsers and the OpenAPI document; [`Username::parse`] says the same.
    pub(crate) const PATTERN: &'static str = "^[A-Za-z0-9](?:[A-Za-z0-9._\\-]*[A-Za-z0-9])?$";

    /// Names that addresses or people would take for something else.
    const RESERVED: [&'static str; 9] =
        ["admin", "administrator", "irongate", "me", "null", "root", "support", "system", "undefined"];

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !(Self::MIN_LENGTH..=Self::MAX_LENGTH).contains(&text.chars().count()) {
            return Err(format!("Use {} to {} characters.", Self::MIN_LENGTH, Self::MAX_LENGTH));
        }
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        let ends = text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric());
        if !plain || !ends {
            return Err("Use letters A to Z and digits, and . _ - between them.".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether only an administrator may have it.
    pub(crate) fn is_reserved(&self) -> bool {
        Self::RESERVED.iter().any(|word| self.0.eq_ignore_ascii_case(word))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail address, checked for what mail servers could deliver; whether it exists shows when mail arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

impl Email {
    /// RFC 5321 §4.5.3.1.3 less the angle brackets.
    pub(crate) const MAX_LENGTH: usize = 254;

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || "Write an e-mail address such as ann@example.org.".to_owned();
        let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
        // SECURITY: header injection into mails: no blanks, controls, quotes or separators.
        let local_fits = (1..=64).contains(&local.len())
            && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..");
        let label_fits = |label: &str| {
            (1..=63).contains(&label.len())
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let domain_fits = domain.contains('.') && domain.split('.').all(label_fits);
        if text.len() <= Self::MAX_LENGTH && local_fits && domain_fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(wrong())
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name that others see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DisplayName(String);

impl DisplayName {
    pub(crate) const MAX_LENGTH: usize = 64;

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !(1..=Self::MAX_LENGTH).contains(&text.chars().count()) {
            return Err(format!("Use 1 to {} characters.", Self::MAX_LENGTH));
        }
        if text.chars().any(is_trick) {
            return Err("Use visible characters on one line.".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A few words that users say about themselves; may be empty, may have several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bio(String);

impl Bio {
    pub(crate) const MAX_LENGTH: usize = 500;

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.chars().count() > Self::MAX_LENGTH {
            return Err(format!("Use at most {} characters.", Self::MAX_LENGTH));
        }
        if text.chars().any(|c| is_trick(c) && c != '\n') {
            return Err("Use visible characters.".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// SECURITY: impersonation: controls, and marks that turn the direction of the text that follows.
fn is_trick(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The rules as data, for forms that check while one types.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Rules {
    username: UsernameRules,
    password: PasswordRules,
    display_name: LengthRule,
    bio: LengthRule,
    email: LengthRule,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct UsernameRules {
    min_length: usize,
    max_length: usize,
    /// A regular expression of ECMA 262.
    pattern: &'static str,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct PasswordRules {
    /// In characters.
    min_length: usize,
    max_bytes: usize,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LengthRule {
    max_length: usize,
}

impl Rules {
    pub(crate) fn get() -> Self {
        use irongate_shared::password::Password;
        Self {
            username: UsernameRules {
                min_length: Username::MIN_LENGTH,
                max_length: Username::MAX_LENGTH,
                pattern: Username::PATTERN,
            },
            password: PasswordRules { min_length: Password::MIN_CHARS, max_bytes: Password::MAX_BYTES },
            display_name: LengthRule { max_length: DisplayName::MAX_LENGTH },
            bio: LengthRule { max_length: Bio::MAX_LENGTH },
            email: LengthRule { max_length: Email::MAX_LENGTH },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_fit_into_addresses() {
        for name in ["ann", "Ann.Lee", "a-1_b", "x".repeat(32).as_str()] {
            assert!(Username::parse(name).is_ok(), "{name}");
        }
        for name in ["", "an", "-ann", "ann.", "a nn", "änn", "ann/../x", "x".repeat(33).as_str()] {
            assert!(Username::parse(name).is_err(), "{name}");
        }
        assert!(Username::parse("Admin").unwrap().is_reserved());
    }

    #[test]
    fn email_addresses_carry_no_headers() {
        for address in ["ann@example.org", "a.b+c@sub.example.co.uk", "ann@münchen.example"] {
            assert!(Email::parse(address).is_ok(), "{address}");
        }
        for address in [
            "",
            "ann",
            "ann@",
            "@example.org",
            "ann@localhost",
            "a b@example.org",
            "ann@-x.org",
            "ann@example..org",
            "ann\r\nBcc: x@example.org",
            "\"ann\"@example.org",
            "ann@example.org>",
            ".a@example.org",
        ] {
            assert!(Email::parse(address).is_err(), "{address:?}");
        }
    }

    #[test]
    fn display_names_do_not_turn_the_line() {
        assert_eq!(DisplayName::parse("  Ann Lee ").unwrap().as_str(), "Ann Lee");
        for name in ["", "   ", "a\nb", "a\u{202e}b", &"x".repeat(65)] {
            assert!(DisplayName::parse(name).is_err(), "{name:?}");
        }
    }
}

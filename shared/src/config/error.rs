//! Mistakes in settings, said the way a good compiler says them.

use std::{fmt, path::PathBuf};

const UNKNOWN_KEY: &str = "unknown key";

/// One mistake: where it stands, what is wrong, and what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// `gateway.toml:14:1`, or the name of an environment variable.
    pub place: String,
    pub problem: String,
    pub hint: Option<String>,
}

impl ConfigError {
    pub fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn is_unknown_key(&self) -> bool {
        self.problem.starts_with(UNKNOWN_KEY)
    }

    /// A file that could not be read at all.
    pub(crate) fn unreadable(file: &std::path::Path, why: &std::io::Error) -> Self {
        Self::new(file.display().to_string(), format!("cannot be read: {why}"))
    }

    /// What serde says of a value, with the nearest valid word when it lists them.
    pub(crate) fn from_serde(place: String, message: &str) -> Self {
        let message = message.trim().trim_end_matches('.');
        let Some(wrong) = quoted(message).next().filter(|_| message.starts_with("unknown ")) else {
            return Self::new(place, message);
        };
        let what = if message.starts_with("unknown field") { UNKNOWN_KEY } else { "unknown word" };
        let valid: Vec<_> = quoted(message).skip(1).collect();
        let nearest = valid
            .iter()
            .map(|word| (strsim::damerau_levenshtein(wrong, word), *word))
            .min()
            .filter(|(distance, word)| *distance <= word.len().max(3) / 2);
        let hint = match nearest {
            Some((_, word)) => format!("did you mean `{word}`?"),
            None if valid.is_empty() => return Self::new(place, format!("{what} `{wrong}`")),
            None => format!("expected one of: {}", valid.join(", ")),
        };
        Self::new(place, format!("{what} `{wrong}`")).hint(hint)
    }
}

fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.place, self.problem)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}

/// Every mistake that was found, so that one start shows them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// `file:line:column` of a byte offset, both from 1.
pub(crate) fn place(file: &std::path::Path, text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!("{}:{line}:{column}", PathBuf::from(file).display())
}

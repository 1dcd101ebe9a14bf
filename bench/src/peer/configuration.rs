//! Fills in a peer's configuration: `@name@` stands for a value, and a line that begins with `@[words] ` stands only
//! when all of the words hold.

use anyhow::{Context as _, bail};

pub(super) fn fill(template: &str, words: &[&str], values: &[(&str, String)]) -> anyhow::Result<String> {
    let mut text = String::new();
    for (nth, line) in template.lines().enumerate() {
        let Some(line) = chosen(line, words) else { continue };
        let filled = values
            .iter()
            .fold(line.to_owned(), |line, (name, value)| line.replace(&format!("@{name}@"), value));
        if let Some(mark) = left_over(&filled) {
            bail!("line {}: nothing is known for {mark}", nth + 1);
        }
        text.push_str(&filled);
        text.push('\n');
    }
    Ok(text)
}

/// The line without its condition, if that holds.
fn chosen<'a>(line: &'a str, words: &[&str]) -> Option<&'a str> {
    let Some((condition, rest)) = line.strip_prefix("@[").and_then(|rest| rest.split_once("] ")) else {
        return Some(line);
    };
    condition.split_whitespace().all(|word| words.contains(&word)).then_some(rest)
}

/// A mark that was not filled in: a misspelt one would otherwise reach the peer.
fn left_over(line: &str) -> Option<String> {
    let mut parts = line.split('@');
    parts.next();
    let name = parts.find(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()));
    name.filter(|name| line.contains(&format!("@{name}@"))).map(|name| format!("@{name}@"))
}

/// Hexadecimal, short, of all that a peer was given.
pub(super) fn hash(files: &[(&str, &str)]) -> String {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    for (name, text) in files {
        hasher.update(name);
        hasher.update(text);
    }
    hex::encode(hasher.finalize().get(..6).unwrap_or_default())
}

pub(super) fn write(
    files: &[(&str, &str)],
    words: &[&str],
    values: &[(&str, String)],
    directory: &std::path::Path,
) -> anyhow::Result<()> {
    for (name, template) in files {
        let text = fill(template, words, values).with_context(|| format!("bench/peers/{name}"))?;
        std::fs::write(directory.join(name), text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_only_in_its_setting() {
        let template = "always\n@[bare] log off\n@[shipped] log on\n@[shipped unix] both\n";

        assert_eq!(fill(template, &["bare", "tcp"], &[]).unwrap(), "always\nlog off\n");
        assert_eq!(fill(template, &["shipped", "unix"], &[]).unwrap(), "always\nlog on\nboth\n");
    }

    #[test]
    fn a_mark_that_nobody_knows_is_refused_with_its_line() {
        let error = fill("listen @https@;\nroot @satge@;\n", &[], &[("https", "443".into())]).unwrap_err();

        assert_eq!(error.to_string(), "line 2: nothing is known for @satge@");
    }
}

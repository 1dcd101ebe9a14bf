//! One stream of lines from five processes, each line with the name of whom it is from.

use std::io::{IsTerminal as _, Write as _};

use irongate_shared::config::{Env as _, ProcessEnv};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

/// A longer line comes out in several pieces: what is kept of a line in the making has a bound.
const LONGEST_LINE: u64 = 64 * 1024;

/// The supervisor's own name in front of a line.
const OURSELVES: &str = "irongate";

/// The colour of a name, as a terminal's number for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Colour(pub(super) u8);

const RED: Colour = Colour(31);
const YELLOW: Colour = Colour(33);
const BOLD: Colour = Colour(1);

/// Standard output, in colours only where a person looks at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    colours: bool,
}

impl Log {
    pub(super) fn to_stdout() -> Self {
        Self { colours: std::io::stdout().is_terminal() && ProcessEnv.get("NO_COLOR").is_none() }
    }

    /// What the supervisor itself has to say.
    pub(super) fn say(self, text: &str) {
        for line in text.lines() {
            self.write(OURSELVES, BOLD, line);
        }
    }

    /// What the supervisor says when something went wrong.
    pub(super) fn complain(self, text: &str) {
        for line in text.lines() {
            self.write(OURSELVES, BOLD, &self.paint(RED, line));
        }
    }

    /// Passes a program's output on, line by line, until it ends.
    pub(super) async fn pass_on(self, name: &str, colour: Colour, from: Option<impl AsyncRead + Unpin>) {
        let Some(from) = from else { return };
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut from).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
                // A program that is killed may leave its pipe in any state: there is nothing more to read.
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let text = String::from_utf8_lossy(&line);
                    self.write(name, colour, &self.with_level(text.trim_end()));
                }
            }
        }
    }

    fn write(self, name: &str, colour: Colour, line: &str) {
        let name = self.paint(colour, &format!("{name:<8} |"));
        // With nobody reading any more the system goes on all the same.
        let _ = writeln!(std::io::stdout(), "{name} {line}");
    }

    /// Warnings and errors stand out; the level is an early word of a line of ours.
    fn with_level(self, line: &str) -> String {
        for (level, colour) in [(" WARN ", YELLOW), ("ERROR ", RED)] {
            if let Some((before, after)) = line.split_once(level).filter(|(before, _)| before.len() < 40) {
                return format!("{before}{}{after}", self.paint(colour, level));
            }
        }
        line.to_owned()
    }

    pub(super) fn paint(self, colour: Colour, text: &str) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", colour.0) } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_alone() {
        let line = "2026-11-24T02:00:00Z  WARN slow";

        assert_eq!(Log { colours: false }.with_level(line), line);
        assert_eq!(Log { colours: true }.with_level(line), "2026-11-24T02:00:00Z \x1b[33m WARN \x1b[0mslow");
    }
}

//! Kept inputs for readers of foreign bytes, and what comes near them.

use std::path::Path;

/// A reader, by the name of its corpus.
pub type Reader = (&'static str, fn(&[u8]));

/// How many inputs are made of each that is kept, unless `FUZZ_ROUNDS` says otherwise.
const ROUNDS: u32 = 300;

/// Gives every input of `tests/corpora/` to the reader that it is named after, and inputs made of it: cut, doubled, mixed
/// with others, with other bytes here and there. The same ones in every run.
///
/// # Panics
///
/// When a reader does, naming the input that made it; when a corpus is missing.
pub fn read_corpora(readers: &[Reader]) {
    let rounds = std::env::var("FUZZ_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    for (name, read) in readers {
        let kept = corpus(name);
        assert!(kept.len() > 3, "no corpus of {name}");
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for input in &kept {
            let told = Told(name, input.clone());
            read(input);
            drop(told);
            let mut near = input.clone();
            for round in 0..rounds {
                // Now and then from the beginning, so that not all of them are far away.
                if round % 8 == 0 {
                    near.clone_from(input);
                }
                change(&mut near, &kept, &mut dice);
                let told = Told(name, near);
                read(&told.1);
                near = told.1.clone();
            }
        }
    }
}

/// Says which input it was that a reader did not survive.
struct Told<'a>(&'a str, Vec<u8>);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("`{}` was reading \"{}\"", self.0, self.1.escape_ascii());
        }
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("read an input")).collect()
}

fn change(data: &mut Vec<u8>, kept: &[Vec<u8>], dice: &mut Dice) {
    // What means something to one reader or another.
    const WORDS: [&[u8]; 12] =
        [b"\r\n", b"\0", b"%2e", b"..", b":", b",", b";", b"\"", b"{", b"\xff\xff", b" ", b"9"];
    let at = dice.below(data.len() + 1);
    let to = at + dice.below(data.len() - at + 1);
    match dice.below(7) {
        0 => data.truncate(at),
        1 => drop(data.drain(at..to)),
        2 => {
            let word = WORDS.get(dice.below(WORDS.len())).copied().unwrap_or_default();
            data.splice(at..at, word.iter().copied());
        }
        3 => {
            let piece = data.get(at..to).unwrap_or_default().to_vec();
            data.splice(at..at, piece);
        }
        4 => {
            let Some(other) = kept.get(dice.below(kept.len())) else { return };
            data.truncate(at);
            data.extend_from_slice(other.get(dice.below(other.len() + 1)..).unwrap_or_default());
        }
        _ => {
            if let Some(byte) = data.get_mut(at) {
                *byte = match dice.below(3) {
                    0 => *byte ^ (1 << dice.below(8)),
                    1 => byte.wrapping_add(1),
                    _ => u8::try_from(dice.below(256)).unwrap_or_default(),
                };
            }
        }
    }
    data.truncate(4_096);
}

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).unwrap_or_default() % bound.max(1)
    }
}

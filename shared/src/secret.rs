//! Values that must never reach a log, an error message or a debugger's print-out by accident, and where an
//! installation keeps its own.

use std::{
    fmt,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, Serializer};

/// A secret whose `Debug` and serialised forms print nothing of it. Reading it takes [`Secret::expose`], which
/// stands out in a review.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    pub const fn expose(&self) -> &T {
        &self.0
    }

    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Settings are printed for people (`gateway check`, the dashboard): there, too, a secret stays one.
impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("***")
    }
}

/// 256 random bits.
pub type Key = [u8; 32];

/// 256 bits from the operating system's generator.
///
/// # Panics
/// When the operating system has no randomness to give: nothing safe can be done then.
#[expect(clippy::expect_used, reason = "without randomness nothing here is safe to go on")]
pub fn random_key() -> Key {
    let mut key = Key::default();
    aws_lc_rs::rand::fill(&mut key).expect("the operating system gives random bytes");
    key
}

/// The installation's secret of that name: the file `name` below `folder`, made at first use, for its owner alone.
///
/// Processes that start together get the same one: the file appears whole under its name, once.
///
/// # Errors
/// The file cannot be made or read, or holds something else.
pub fn installed(folder: &Path, name: &str) -> io::Result<Secret<Key>> {
    let file = folder.join(name);
    match read(&file) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = folder.join(format!(".{name}.{}", uuid::Uuid::now_v7()));
    let mut open = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(open, "{}", URL_SAFE_NO_PAD.encode(random_key()))?;
    open.sync_all()?;
    // A link, unlike a rename, fails when somebody was first.
    let linked = std::fs::hard_link(&draft, &file);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(why) if why.kind() != io::ErrorKind::AlreadyExists => Err(why),
        _ => read(&file),
    }
}

fn read(file: &Path) -> io::Result<Secret<Key>> {
    let text = std::fs::read_to_string(file)?;
    let key = URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| Key::try_from(bytes).ok());
    key.map(Secret).ok_or_else(|| {
        let why = format!("{} does not hold 32 bytes in base64url", file.display());
        io::Error::new(io::ErrorKind::InvalidData, why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_start_together_get_the_same_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();

        let keys: Vec<_> = std::thread::scope(|threads| {
            let starting: Vec<_> =
                (0..16).map(|_| threads.spawn(|| installed(path, "master.key").unwrap())).collect();
            starting.into_iter().map(|thread| thread.join().unwrap()).collect()
        });

        assert!(keys.iter().all(|key| key == &keys[0]));
        assert_ne!(installed(path, "other.key").unwrap(), keys[0]);
        assert_eq!(std::fs::read_dir(path).unwrap().count(), 2, "drafts are left behind");
    }

    #[test]
    fn a_secret_prints_nothing() {
        let secret = Secret::new("hunter2");

        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), r#""***""#);
        assert_eq!(secret.expose(), &"hunter2");
    }
}

//! Values as people write them: `10s`, `1MiB`, `127.0.0.1:7001`.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

macro_rules! as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A length of time: `250ms`, `10s`, `5m`, `12h`, `30d`, or `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

impl Period {
    const UNITS: [(&'static str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let (number, unit) = split_number(text);
        let factor = Self::UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        match (number.parse::<u64>().ok(), factor) {
            (Some(number), Some(factor)) => number
                .checked_mul(factor)
                .map(Self::from_millis)
                .ok_or_else(|| format!("`{text}` is too long a time")),
            _ => Err(format!("`{text}` is no length of time; write it as 250ms, 10s, 5m, 12h or 30d")),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        match Self::UNITS.iter().find(|(_, factor)| millis > 0 && millis.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", millis / factor),
            None => f.write_str("0"),
        }
    }
}

as_text!(Period);

/// A number of bytes: `512B`, `64KiB`, `10MiB`, `2GiB`, or the decimal `KB`, `MB`, `GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    const UNITS: [(&'static str, u64); 7] = [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("KB", 1_000),
        ("B", 1),
    ];

    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn kib(kib: u64) -> Self {
        Self(kib << 10)
    }

    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    pub const fn get(self) -> u64 {
        self.0
    }

    /// For lengths in memory; what does not fit there is as good as no limit.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split_number(text);
        let factor = Self::UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        match (number.parse::<u64>().ok(), factor) {
            (Some(number), Some(factor)) => {
                number.checked_mul(factor).map(Self).ok_or_else(|| format!("`{text}` is too large a size"))
            }
            _ => Err(format!("`{text}` is no size; write it as 512B, 64KiB, 10MiB or 2GiB")),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = Self::UNITS.iter().find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor));
        let (unit, factor) = fits.unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

as_text!(ByteSize);

fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Where a program listens: `127.0.0.1:7001`, `[::]:7001`, or `unix:/run/irongate/chat.sock`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err("`unix:` needs a path, as in unix:/run/irongate/chat.sock".to_owned())
            } else {
                Ok(Self::Unix(PathBuf::from(path)))
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            format!("`{text}` is no address to listen on; write 127.0.0.1:7001, 0.0.0.0:7001 or unix:/path")
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

as_text!(Listen);

/// A listener that can be switched off: an address as [`Listen`] takes it, or `off`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListenOrOff(pub Option<Listen>);

impl FromStr for ListenOrOff {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self(None)),
            text => text.parse().map(|listen| Self(Some(listen))),
        }
    }
}

impl fmt::Display for ListenOrOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(listen) => listen.fmt(f),
            None => f.write_str("off"),
        }
    }
}

as_text!(ListenOrOff);

pub(super) use as_text;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_back_as_people_write_them() {
        for text in ["250ms", "10s", "5m", "12h", "30d", "0", "90s"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in ["512B", "64KiB", "10MiB", "2GiB", "1500B", "0B"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
        for text in ["127.0.0.1:7001", "[::1]:7001", "unix:/run/chat.sock"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for text in ["127.0.0.1:9101", "off"] {
            assert_eq!(text.parse::<ListenOrOff>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_way_to_write_it() {
        for text in ["", "10", "s", "-1s", "1.5s", "10 s", "99999999999999999999d", "9223372036854775807d"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
        for text in ["", "10", "KiB", "1 KiB", "20000000000GiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        for text in ["", "7001", "localhost:7001", "unix:"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }
}

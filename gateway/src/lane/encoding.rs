//! Which content coding a client gets (RFC 9110 §12.5.3).

use crate::wire::{list, weighted};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Zstd,
    Brotli,
}

impl Coding {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
            Coding::Brotli => "br",
        }
    }
}

/// The coding the client likes best among those there are; where it does not care, the smallest.
pub(crate) fn choose<'f>(accepted: impl Iterator<Item = &'f [u8]>, there_are: &[Coding]) -> Coding {
    let mut weights: Vec<(&[u8], u16)> = Vec::new();
    for value in accepted {
        weights.extend(list(value).filter_map(weighted));
    }
    let weight = |coding: Coding| {
        let named = weights.iter().find(|(name, _)| name.eq_ignore_ascii_case(coding.name().as_bytes()));
        let any = weights.iter().find(|(name, _)| *name == b"*");
        match (named, any, coding) {
            (Some((_, weight)), _, _) | (None, Some((_, weight)), _) => *weight,
            // Identity is acceptable unless excluded, but behind everything that was asked for.
            (None, None, Coding::Identity) => 1,
            (None, None, _) => 0,
        }
    };
    there_are
        .iter()
        .copied()
        .filter(|coding| weight(*coding) > 0)
        .max_by_key(|coding| (weight(*coding), *coding))
        // Equal weight for identity still means a smaller body is welcome.
        .filter(|coding| weight(*coding) >= weight(Coding::Identity).min(1000))
        .unwrap_or(Coding::Identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Zstd, Coding::Brotli];

    #[test]
    fn the_client_s_weights_decide_then_the_size() {
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", Coding::Brotli),
            ("gzip", Coding::Gzip),
            ("gzip;q=1.0, br;q=0.5", Coding::Gzip),
            ("br;q=0, gzip", Coding::Gzip),
            ("gzip;q=0", Coding::Identity),
            ("*", Coding::Brotli),
            ("*;q=0, gzip", Coding::Gzip),
            ("identity", Coding::Identity),
            ("identity;q=1, gzip;q=0.2", Coding::Identity),
            ("", Coding::Identity),
            ("deflate", Coding::Identity),
        ] {
            assert_eq!(choose(std::iter::once(accepted.as_bytes()), &ALL), expected, "{accepted}");
        }
        assert_eq!(choose(std::iter::once(&b"br, gzip"[..]), &[Coding::Gzip]), Coding::Gzip);
        assert_eq!(choose(std::iter::empty(), &ALL), Coding::Identity);
    }
}

//! The environment as an argument.

use std::collections::BTreeMap;

/// Where environment variables come from.
pub trait Env {
    /// All variables, by name. Names or values that are not Unicode are left out: no setting of ours is.
    fn all(&self) -> BTreeMap<String, String>;

    /// One variable. Set but empty counts as not set, as compose files and systemd units write it.
    fn get(&self, name: &str) -> Option<String> {
        self.all().remove(name).filter(|value| !value.is_empty())
    }
}

/// The environment of this process.
#[derive(Debug, Clone, Copy)]
pub struct ProcessEnv;

impl Env for ProcessEnv {
    fn all(&self) -> BTreeMap<String, String> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }
}

impl Env for BTreeMap<String, String> {
    fn all(&self) -> BTreeMap<String, String> {
        self.clone()
    }
}

impl<const N: usize> Env for [(&str, &str); N] {
    fn all(&self) -> BTreeMap<String, String> {
        self.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

//! The environment as an argument.

use std::collections::BTreeMap;

use super::ConfigError;

/// Where environment variables come from.
pub trait Env {
    /// All variables, by name. Names or values that are not Unicode are left out: no setting of ours is.
    fn all(&self) -> BTreeMap<String, String>;

    /// One variable. Set but empty counts as not set, as compose files and systemd units write it.
    fn get(&self, name: &str) -> Option<String> {
        self.all().remove(name).filter(|value| !value.is_empty())
    }
}

/// The variable, or what stands in the file that `NAME_FILE` names: the way container engines hand secrets in.
///
/// # Errors
/// The file cannot be read, or both are set.
pub(super) fn value_or_file(env: &dyn Env, name: &str) -> Result<Option<String>, ConfigError> {
    let variable = format!("{name}_FILE");
    match (env.get(name), env.get(&variable)) {
        (value, None) => Ok(value),
        (None, Some(path)) => content(&variable, &path).map(Some),
        (Some(_), Some(_)) => {
            Err(ConfigError::new(name, format!("stands beside {variable}; set one of the two")))
        }
    }
}

/// What stands in the file at `path`, as `variable` has it.
pub(super) fn content(variable: &str, path: &str) -> Result<String, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(why) => Err(ConfigError::new(variable, format!("names {path}, which cannot be read: {why}"))),
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

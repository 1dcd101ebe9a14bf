//! File over defaults, environment over file.

use std::path::PathBuf;

use serde::{Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use super::{ConfigError, ConfigErrors, Env, env::content, error::place};

/// What one program reads its settings from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file a person named, or the default one. `None`: environment alone.
    pub file: Option<PathBuf>,
    /// Whether a missing file is a mistake (a person named it) or means the defaults.
    pub required: bool,
    /// `IRONGATE_CHAT` for variables like `IRONGATE_CHAT__LISTEN`.
    pub prefix: &'static str,
}

/// Settings, and where they came from: the first thing a program logs.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    pub settings: T,
    /// `gateway.toml, IRONGATE_GATEWAY__LISTEN__HTTP`, or `built-in defaults`.
    pub origin: String,
}

/// Reads settings of type `T`. A table of the file replaces the same table of the defaults; what the file does not
/// name keeps its default; a variable changes the one key that it names.
///
/// # Errors
/// The file cannot be read or parsed, a key is unknown, a value has the wrong type: each with its place.
pub fn load<T>(source: &Source, env: &dyn Env) -> Result<Loaded<T>, ConfigErrors>
where
    T: DeserializeOwned + Serialize + Default,
{
    let mut origin = Vec::new();
    let mut table = defaults::<T>()?;
    if let Some((file, text)) = read(source)? {
        // Parsed on its own first: only then do messages carry line and column.
        toml::from_str::<T>(&text).map_err(|why| refused(&file, &text, &why))?;
        let parsed: Table = toml::from_str(&text).map_err(|why| refused(&file, &text, &why))?;
        table.extend(parsed);
        origin.push(file.display().to_string());
    }
    let overrides = overrides(source.prefix, env)?;
    let settings = apply(table, &overrides, source)?;
    origin.extend(overrides.into_iter().map(|setting| setting.variable));
    let origin = if origin.is_empty() { "built-in defaults".to_owned() } else { origin.join(", ") };
    Ok(Loaded { settings, origin })
}

fn defaults<T: Serialize + Default>() -> Result<Table, ConfigErrors> {
    Table::try_from(T::default())
        .map_err(|why| ConfigError::new("built-in defaults", format!("cannot be written down: {why}")).into())
}

fn read(source: &Source) -> Result<Option<(PathBuf, String)>, ConfigErrors> {
    let Some(file) = &source.file else { return Ok(None) };
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some((file.clone(), text))),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound && !source.required => Ok(None),
        Err(why) => Err(ConfigError::unreadable(file, &why).into()),
    }
}

fn refused(file: &std::path::Path, text: &str, why: &toml::de::Error) -> ConfigErrors {
    let at = place(file, text, why.span().map_or(0, |span| span.start));
    ConfigError::from_serde(at, why.message()).into()
}

struct Override {
    variable: String,
    path: Vec<String>,
    raw: String,
}

impl Override {
    /// The value as TOML reads it, as text, and as a list of texts: a variable has no quotes to tell them apart,
    /// so the settings type decides which one fits.
    fn readings(&self) -> Vec<Value> {
        let parsed = toml::from_str::<Table>(&format!("value = {}", self.raw)).ok();
        let parsed = parsed.and_then(|mut table| table.remove("value"));
        let list = self.raw.split(',').map(|item| Value::String(item.trim().to_owned())).collect();
        parsed.into_iter().chain([Value::String(self.raw.clone()), Value::Array(list)]).collect()
    }

    /// `table` with this setting in the first reading that the settings type accepts.
    fn over<T: DeserializeOwned>(&self, table: &Table) -> Result<Table, ConfigError> {
        let mut first_refusal = None;
        for value in self.readings() {
            let mut candidate = table.clone();
            self.set(&mut candidate, value)?;
            match deserialize::<T>(&candidate) {
                Ok(_) => return Ok(candidate),
                Err(why) => {
                    first_refusal.get_or_insert(why);
                }
            }
        }
        Err(ConfigError::from_serde(self.variable.clone(), &first_refusal.unwrap_or_default()))
    }

    /// For `…__SMTP_URL_FILE`: the setting `…__SMTP_URL`, whose value is in the file that is named.
    fn in_file(&self) -> Option<Result<Self, ConfigError>> {
        let (last, parents) = self.path.split_last()?;
        let key = last.strip_suffix("_file")?.to_owned();
        let path = parents.iter().cloned().chain([key]).collect();
        let raw = content(&self.variable, &self.raw);
        Some(raw.map(|raw| Self { variable: self.variable.clone(), path, raw }))
    }

    fn set(&self, table: &mut Table, value: Value) -> Result<(), ConfigError> {
        let wrong = || ConfigError::new(&self.variable, "does not name a setting: too many `__`");
        let (last, parents) = self.path.split_last().ok_or_else(wrong)?;
        let mut at = table;
        for parent in parents {
            let next = at.entry(parent).or_insert_with(|| Value::Table(Table::new()));
            at = next.as_table_mut().ok_or_else(wrong)?;
        }
        at.insert(last.clone(), value);
        Ok(())
    }
}

fn overrides(prefix: &str, env: &dyn Env) -> Result<Vec<Override>, ConfigErrors> {
    let mut found = Vec::new();
    for (variable, raw) in env.all() {
        let Some(name) = variable.strip_prefix(prefix).and_then(|rest| rest.strip_prefix("__")) else {
            continue;
        };
        let path: Vec<_> = name.split("__").map(str::to_lowercase).collect();
        if path.iter().any(String::is_empty) {
            return Err(
                ConfigError::new(variable, "does not name a setting: an empty word between `__`").into()
            );
        }
        if !raw.is_empty() {
            found.push(Override { variable, path, raw });
        }
    }
    Ok(found)
}

/// Lays the variables over the table, one by one.
fn apply<T: DeserializeOwned>(
    mut table: Table,
    overrides: &[Override],
    source: &Source,
) -> Result<T, ConfigErrors> {
    let mut mistakes = Vec::new();
    for setting in overrides {
        let fitted = setting.over::<T>(&table).or_else(|refusal| match setting.in_file() {
            Some(found) if refusal.is_unknown_key() => found.and_then(|setting| setting.over::<T>(&table)),
            _ => Err(refusal),
        });
        match fitted {
            Ok(fitted) => table = fitted,
            Err(why) => mistakes.push(why),
        }
    }
    if !mistakes.is_empty() {
        return Err(ConfigErrors(mistakes));
    }
    deserialize(&table).map_err(|why| ConfigError::from_serde(source.prefix.to_owned(), &why).into())
}

fn deserialize<T: DeserializeOwned>(table: &Table) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Table(table.clone())).map_err(|why| {
        let message = why.inner().to_string();
        message.lines().next().unwrap_or_default().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::config::{Listen, Period};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Settings {
        listen: Listen,
        name: String,
        upstream: BTreeMap<String, Upstream>,
    }

    #[derive(Debug, PartialEq, Default, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Upstream {
        servers: Vec<String>,
        health_path: Option<String>,
        timeout: Option<Period>,
    }

    impl Default for Settings {
        fn default() -> Self {
            let auth = Upstream { servers: vec!["127.0.0.1:7001".to_owned()], ..Upstream::default() };
            Self {
                listen: "127.0.0.1:1".parse().unwrap(),
                name: "gate".to_owned(),
                upstream: BTreeMap::from([("auth".to_owned(), auth)]),
            }
        }
    }

    fn from_file(text: &str, env: &dyn Env) -> Result<Loaded<Settings>, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gateway.toml");
        std::fs::write(&file, text).unwrap();
        let source = Source { file: Some(file), required: true, prefix: "IRONGATE_TEST" };
        load(&source, env).map_err(|why| why.to_string().replace(&format!("{}/", dir.path().display()), ""))
    }

    #[test]
    fn nothing_said_means_the_defaults() {
        let source = Source { file: None, required: false, prefix: "IRONGATE_TEST" };

        let loaded = load::<Settings>(&source, &[]).unwrap();

        assert_eq!(loaded.settings, Settings::default());
        assert_eq!(loaded.origin, "built-in defaults");
    }

    #[test]
    fn a_variable_changes_the_one_key_it_names() {
        let env = [
            ("IRONGATE_TEST__UPSTREAM__AUTH__SERVERS", "127.0.0.1:9,127.0.0.1:10"),
            ("IRONGATE_TEST__UPSTREAM__AUTH__TIMEOUT", "3s"),
            ("IRONGATE_TEST__NAME", "42"),
            ("IRONGATE_OTHER__NAME", "no"),
        ];

        let settings = from_file("listen = \"127.0.0.1:2\"", &env).unwrap().settings;

        assert_eq!(settings.name, "42");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:2");
        let auth = &settings.upstream["auth"];
        assert_eq!(auth.servers, ["127.0.0.1:9", "127.0.0.1:10"]);
        assert_eq!(auth.timeout, Some(Period::from_secs(3)));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_the_nearest_word() {
        let refused =
            from_file("name = \"x\"\n\n[upstream.auth]\nhelth_path = \"/health\"\n", &[]).unwrap_err();

        assert_eq!(refused, "gateway.toml:4:1  unknown key `helth_path`\n  did you mean `health_path`?");
    }

    #[test]
    fn a_wrong_value_is_refused_with_the_way_to_write_it() {
        let refused = from_file("[upstream.auth]\ntimeout = \"3 s\"\n", &[]).unwrap_err();

        assert_eq!(
            refused,
            "gateway.toml:2:11  `3 s` is no length of time; write it as 250ms, 10s, 5m, 12h or 30d"
        );
    }

    #[test]
    fn every_wrong_variable_is_named_at_once() {
        let env = [("IRONGATE_TEST__LISTN", "x"), ("IRONGATE_TEST__UPSTREAM__AUTH__TIMEOUT", "soon")];

        let refused = from_file("", &env).unwrap_err();

        assert_eq!(
            refused,
            "IRONGATE_TEST__LISTN  unknown key `listn`\n  did you mean `listen`?\n\
             IRONGATE_TEST__UPSTREAM__AUTH__TIMEOUT  `soon` is no length of time; write it as 250ms, 10s, 5m, 12h or 30d"
        );
    }

    #[test]
    fn a_variable_that_ends_in_file_names_a_file_with_the_value() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "from the file\n").unwrap();
        let variable = |name: &'static str| [(name, file.path().to_str().unwrap())];

        let settings = from_file("", &variable("IRONGATE_TEST__NAME_FILE")).unwrap().settings;
        let misspelt = from_file("", &variable("IRONGATE_TEST__NAM_FILE")).unwrap_err();

        assert_eq!(settings.name, "from the file");
        assert_eq!(misspelt, "IRONGATE_TEST__NAM_FILE  unknown key `nam`\n  did you mean `name`?");
    }

    #[test]
    fn a_file_that_a_person_named_must_exist() {
        let source =
            Source { file: Some(PathBuf::from("/nonexistent/gateway.toml")), required: true, prefix: "X" };

        let refused = load::<Settings>(&source, &[]).unwrap_err().to_string();

        assert!(refused.starts_with("/nonexistent/gateway.toml  cannot be read: No such file"), "{refused}");
    }
}

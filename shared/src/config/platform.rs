//! What all programs of one installation share: where data, database, Redis and the gateway are.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use url::Url;

use super::{
    ConfigError, ConfigErrors, Env,
    env::value_or_file,
    redis_url::{CLUSTER, nodes_of},
};
use crate::secret::Secret;

/// Settings with one name for every program.
#[derive(Debug, Clone)]
pub struct Platform {
    /// `IRONGATE_DATA`: everything the system writes at run time goes below it. Default: `data`.
    pub data: PathBuf,
    /// `IRONGATE_SECRETS`: the installation's own secrets, a file each; missing ones are made at first start.
    /// Default: `secrets` in the data directory.
    pub secrets: PathBuf,
    /// `DATABASE_URL`, or a file with it: `DATABASE_URL_FILE`. Default: SQLite in the data directory.
    pub database: DatabaseUrl,
    /// `REDIS_URL` or `REDIS_URL_FILE`, `redis+cluster://` for a cluster. Without it there is no Redis: one process per service, revocations in the database.
    pub redis: Option<Secret<Url>>,
    /// `GATEWAY_URL`: how a service reaches the others, and the origin that browsers see.
    pub gateway: Url,
    /// `GATEWAY_INTERNAL_URL`: how a service reaches the others where that is not by `GATEWAY_URL`, in containers.
    pub internal: Url,
    /// `IRONGATE_AUTHORITY`: the certificate of a gateway's own authority, for services that do not share its data
    /// directory. The gateway puts a copy there, services trust it. Default: `tls/authority.pem` in the data directory.
    pub authority: PathBuf,
    /// `IRONGATE_LOG_FORMAT`: `text` (default) or `json`.
    pub log: LogFormat,
}

impl Platform {
    /// Who issues this installation's tokens: the origin of the gateway's address.
    pub fn issuer(&self) -> String {
        self.gateway.origin().ascii_serialization()
    }

    /// # Errors
    /// Names every variable whose value cannot be right.
    pub fn from_env(env: &dyn Env) -> Result<Self, ConfigErrors> {
        let mut mistakes = Vec::new();
        let data = PathBuf::from(env.get("IRONGATE_DATA").unwrap_or_else(|| "data".to_owned()));
        let authority =
            env.get("IRONGATE_AUTHORITY").map_or_else(|| data.join("tls/authority.pem"), PathBuf::from);
        let secrets = env.get("IRONGATE_SECRETS").map_or_else(|| data.join("secrets"), PathBuf::from);
        let database = parsed(env, "DATABASE_URL", &mut mistakes);
        let redis = parsed::<RedisUrl>(env, "REDIS_URL", &mut mistakes).map(|url| Secret::new(url.0));
        let gateway = parsed::<GatewayUrl>(env, "GATEWAY_URL", &mut mistakes);
        let internal = parsed::<GatewayUrl>(env, "GATEWAY_INTERNAL_URL", &mut mistakes);
        let log = parsed(env, "IRONGATE_LOG_FORMAT", &mut mistakes);
        if !mistakes.is_empty() {
            return Err(ConfigErrors(mistakes));
        }
        let gateway = gateway.unwrap_or_default().0;
        Ok(Self {
            database: database.unwrap_or_else(|| DatabaseUrl::Sqlite(data.join("irongate.db"))),
            data,
            secrets,
            authority,
            redis,
            internal: internal.map_or_else(|| gateway.clone(), |url| url.0),
            gateway,
            log: log.unwrap_or_default(),
        })
    }
}

fn parsed<T: FromStr<Err = String>>(env: &dyn Env, name: &str, mistakes: &mut Vec<ConfigError>) -> Option<T> {
    let text = value_or_file(env, name).map_err(|mistake| mistakes.push(mistake)).ok()??;
    text.parse().map_err(|why| mistakes.push(ConfigError::new(name, why))).ok()
}

/// Which database, by the URL's scheme.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(Secret<String>),
}

impl FromStr for DatabaseUrl {
    type Err = String;

    /// Anything that is neither is refused: diesel itself would take a misspelt PostgreSQL URL for a file name and
    /// start with an empty database.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return if text.contains("sslmode=require") || text.contains("sslmode=verify") {
                postgres_with_tls(text)
            } else {
                Ok(Self::Postgres(Secret::new(text.to_owned())))
            };
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(Path::new(path).to_owned())),
            _ => Err(
                "fits no known database; write postgres://user:password@host/name or sqlite:path, and check \
                      the quoting"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(feature = "pg-tls")]
fn postgres_with_tls(text: &str) -> Result<DatabaseUrl, String> {
    Ok(DatabaseUrl::Postgres(Secret::new(text.to_owned())))
}

#[cfg(not(feature = "pg-tls"))]
fn postgres_with_tls(_: &str) -> Result<DatabaseUrl, String> {
    Err("asks for TLS to PostgreSQL, which this build does not have; build with `--features pg-tls` (the container \
         images are), or leave sslmode out on a private network"
        .to_owned())
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Without the password: this goes into logs.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => match Url::parse(url.expose()) {
                Ok(url) => write!(f, "postgres://{}{}", url.host_str().unwrap_or("localhost"), url.path()),
                Err(_) => f.write_str("postgres://…"),
            },
        }
    }
}

struct RedisUrl(Url);

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).ok().filter(|url| match url.scheme() {
            "redis" | "rediss" | "redis+unix" => true,
            CLUSTER => url.has_host(),
            _ => false,
        });
        let url = url.ok_or_else(|| {
            format!("is no Redis URL; write redis://host:6379/0, or {CLUSTER}://host:6379?node=other:6379")
        })?;
        if url.scheme() == CLUSTER {
            nodes_of(&url).map_err(|why| why.to_string())?;
        }
        Ok(Self(url))
    }
}

struct GatewayUrl(Url);

impl Default for GatewayUrl {
    #[expect(clippy::expect_used, reason = "a constant that is a URL")]
    fn default() -> Self {
        Self(Url::parse("https://localhost:8443").expect("a URL"))
    }
}

impl FromStr for GatewayUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url =
            Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
        url.map(Self).ok_or_else(|| "is no web address; write https://chat.example.org".to_owned())
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people: one short line, coloured on a terminal.
    #[default]
    Text,
    /// For machines: one JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("`{other}` is no log format; write text or json")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_need_nothing_installed() {
        let platform = Platform::from_env(&[]).unwrap();

        assert_eq!(platform.database.to_string(), "sqlite:data/irongate.db");
        assert!(platform.redis.is_none());
        assert_eq!(platform.gateway.as_str(), "https://localhost:8443/");
    }

    #[test]
    fn every_variable_that_cannot_be_right_is_named() {
        let env = [
            ("DATABASE_URL", "postgresql:typo"),
            ("REDIS_URL", "localhost:6379"),
            ("GATEWAY_URL", "localhost"),
            ("IRONGATE_LOG_FORMAT", "xml"),
        ];

        let refused = Platform::from_env(&env).unwrap_err();

        let places: Vec<_> = refused.0.iter().map(|mistake| mistake.place.as_str()).collect();
        assert_eq!(places, ["DATABASE_URL", "REDIS_URL", "GATEWAY_URL", "IRONGATE_LOG_FORMAT"]);
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "postgres://app:hunter2@db/irongate\n").unwrap();
        let path = file.path().to_str().unwrap();

        let platform = Platform::from_env(&[("DATABASE_URL_FILE", path)]).unwrap();
        let both = Platform::from_env(&[("DATABASE_URL_FILE", path), ("DATABASE_URL", "sqlite:x")]);
        let absent = Platform::from_env(&[("REDIS_URL_FILE", "/nonexistent")]);

        assert_eq!(platform.database, "postgres://app:hunter2@db/irongate".parse().unwrap());
        assert_eq!(
            both.unwrap_err().to_string(),
            "DATABASE_URL  stands beside DATABASE_URL_FILE; set one of the two"
        );
        let why = absent.unwrap_err().to_string();
        assert!(
            why.starts_with("REDIS_URL_FILE  names /nonexistent, which cannot be read: No such"),
            "{why}"
        );
    }

    #[test]
    fn a_password_never_shows() {
        let url: DatabaseUrl = "postgres://app:hunter2@db.internal/irongate".parse().unwrap();

        assert_eq!(
            format!("{url} {url:?}"),
            "postgres://db.internal/irongate postgres://db.internal/irongate"
        );
    }
}

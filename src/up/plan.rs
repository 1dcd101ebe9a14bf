//! Where each program listens and what it is told, worked out before anything starts.

use std::{net::SocketAddr, path::PathBuf};

use irongate_shared::{
    config::{self, ConfigError, ConfigErrors, Env, Listen, Platform, Source},
    health::reachable,
};

use super::ports::Address;

/// A service that `up` starts behind the gateway.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    /// Its word on our command line and in the log.
    pub(super) program: &'static str,
    /// Where its API is served unless the variable says otherwise.
    api: (&'static str, u16),
    /// Where its metrics are served unless the variable says otherwise.
    metrics: (&'static str, u16),
    /// What tells the gateway where the API is.
    upstream_variable: &'static str,
}

pub(super) const SERVICES: [Service; 3] = [
    Service {
        program: "auth-svc",
        api: ("IRONGATE_AUTH__LISTEN", 7001),
        metrics: ("IRONGATE_AUTH__METRICS", 9101),
        upstream_variable: "IRONGATE_GATEWAY__UPSTREAM__AUTH__SERVERS",
    },
    Service {
        program: "user-svc",
        api: ("IRONGATE_USER__LISTEN", 7002),
        metrics: ("IRONGATE_USER__METRICS", 9102),
        upstream_variable: "IRONGATE_GATEWAY__UPSTREAM__USER__SERVERS",
    },
    Service {
        program: "chat-svc",
        api: ("IRONGATE_CHAT__LISTEN", 7003),
        metrics: ("IRONGATE_CHAT__METRICS", 9103),
        upstream_variable: "IRONGATE_GATEWAY__UPSTREAM__CHAT__SERVERS",
    },
];

impl Service {
    /// The TCP addresses that it will bind.
    fn addresses(&self, env: &dyn Env) -> Result<Vec<Address>, ConfigErrors> {
        let mut addresses = Vec::new();
        for (variable, default_port) in [self.api, self.metrics] {
            let listen = match env.get(variable).as_deref() {
                None => Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], default_port))),
                // Metrics may be switched off; the service itself refuses the word for its API.
                Some("off") => continue,
                Some(chosen) => chosen.parse().map_err(|why| ConfigError::new(variable, why))?,
            };
            if let Listen::Tcp(at) = listen {
                addresses.push(Address { program: self.program, at, variable });
            }
        }
        Ok(addresses)
    }
}

const ACCESS_LOG: &str = "IRONGATE_GATEWAY__LOG__ACCESS";

/// Everything `up` knows before it starts the first program.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) data: PathBuf,
    /// Every TCP address that will be bound.
    pub(super) addresses: Vec<Address>,
    /// What the programs get beside our own environment, so that one variable moves a port for everyone.
    pub(super) environment: Vec<(&'static str, String)>,
    /// Where the gateway says how everything is.
    pub(super) health: SocketAddr,
    /// The application, as typed into a browser.
    pub(super) site: String,
    /// The dashboard that needs no sign-in.
    pub(super) admin: Option<String>,
}

impl Plan {
    /// `watched`: a person reads the log, so requests are told in one short line each unless settings say otherwise.
    ///
    /// # Errors
    /// Names every setting that cannot be right.
    pub(super) fn from_env(env: &dyn Env, watched: bool) -> Result<Self, ConfigErrors> {
        let platform = Platform::from_env(env)?;
        let gateway = gateway_settings(env)?;

        let mut addresses = Vec::new();
        let mut environment = Vec::new();
        for service in SERVICES {
            addresses.extend(service.addresses(env)?);
            if let Some(chosen) = env.get(service.api.0)
                && env.get(service.upstream_variable).is_none()
            {
                environment.push((service.upstream_variable, chosen));
            }
        }
        let https = parsed(&gateway.listen.https, "IRONGATE_GATEWAY__LISTEN__HTTPS")?;
        let http = parsed(&gateway.listen.http, "IRONGATE_GATEWAY__LISTEN__HTTP")?;
        let admin = parsed(&gateway.admin.listen, "IRONGATE_GATEWAY__ADMIN__LISTEN")?;

        let site = match (env.get("GATEWAY_URL"), https.first()) {
            (Some(url), _) => url,
            (None, Some(address)) => format!("https://localhost:{}", address.at.port()),
            (None, None) => {
                return Err(ConfigError::new("[listen]", "names no `https` address").into());
            }
        };
        if env.get("GATEWAY_URL").is_none() {
            environment.push(("GATEWAY_URL", site.clone()));
        }
        if watched && gateway.log == Default::default() && env.get(ACCESS_LOG).is_none() {
            environment.push((ACCESS_LOG, "combined".to_owned()));
        }
        let Some(health) = admin.first().or(http.first()).map(|address| reachable(address.at)) else {
            return Err(
                ConfigError::new("[admin]", "names no `listen` address, and [listen] no `http`").into()
            );
        };
        let admin_page = admin.first().map(|address| format!("http://{}/admin/", reachable(address.at)));

        addresses.extend([http, https, admin].into_iter().flatten());
        Ok(Self { data: platform.data, addresses, environment, health, site, admin: admin_page })
    }
}

/// What the gateway itself will read: file and environment, by its own types.
fn gateway_settings(env: &dyn Env) -> Result<irongate_gateway::Settings, ConfigErrors> {
    let named = env.get("IRONGATE_GATEWAY_CONFIG").map(PathBuf::from);
    let source = Source {
        required: named.is_some(),
        file: Some(named.unwrap_or_else(|| "gateway.toml".into())),
        prefix: "IRONGATE_GATEWAY",
    };
    Ok(config::load(&source, env)?.settings)
}

fn parsed(addresses: &[String], variable: &'static str) -> Result<Vec<Address>, ConfigErrors> {
    let parse = |text: &String| match text.parse() {
        Ok(at) => Ok(Address { program: "gateway", at, variable }),
        Err(_) => {
            Err(ConfigError::new(variable, format!("`{text}` is no address; write 127.0.0.1:8443")).into())
        }
    };
    addresses.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_means_the_documented_ports() {
        let plan = Plan::from_env(&[("IRONGATE_DATA", "data")], false).unwrap();

        let ports: Vec<u16> = plan.addresses.iter().map(|address| address.at.port()).collect();
        assert_eq!(ports, [7001, 9101, 7002, 9102, 7003, 9103, 8080, 8443, 9901]);
        assert_eq!(plan.site, "https://localhost:8443");
        assert_eq!(plan.health.to_string(), "127.0.0.1:9901");
        assert_eq!(plan.environment, [("GATEWAY_URL", "https://localhost:8443".to_owned())]);
    }

    #[test]
    fn a_person_gets_short_lines_unless_they_asked_for_others() {
        let access = |env: &[(&'static str, &'static str); 1]| {
            let plan = Plan::from_env(env, true).unwrap();
            plan.environment.into_iter().find(|(name, _)| *name == ACCESS_LOG).map(|(_, value)| value)
        };

        assert_eq!(access(&[("IRONGATE_DATA", "data")]).as_deref(), Some("combined"));
        assert_eq!(access(&[(ACCESS_LOG, "off")]), None);
    }

    #[test]
    fn one_variable_moves_a_service_for_the_gateway_too() {
        let plan = Plan::from_env(&[("IRONGATE_CHAT__LISTEN", "127.0.0.1:7103")], false).unwrap();

        let told = ("IRONGATE_GATEWAY__UPSTREAM__CHAT__SERVERS", "127.0.0.1:7103".to_owned());
        assert!(plan.environment.contains(&told), "{:?}", plan.environment);
    }

    #[test]
    fn a_moved_https_port_moves_the_address_of_the_site() {
        let plan = Plan::from_env(&[("IRONGATE_GATEWAY__LISTEN__HTTPS", "127.0.0.1:9443")], false).unwrap();

        assert_eq!(plan.site, "https://localhost:9443");
    }

    #[test]
    fn what_a_person_said_about_upstreams_stands() {
        let env = [
            ("IRONGATE_CHAT__LISTEN", "127.0.0.1:7103"),
            ("IRONGATE_GATEWAY__UPSTREAM__CHAT__SERVERS", "127.0.0.1:7203"),
            ("GATEWAY_URL", "https://chat.example.org"),
        ];

        let plan = Plan::from_env(&env, false).unwrap();

        assert_eq!(plan.environment, []);
        assert_eq!(plan.site, "https://chat.example.org");
    }

    #[test]
    fn a_wrong_address_is_refused_by_the_name_of_its_variable() {
        let refused = Plan::from_env(&[("IRONGATE_CHAT__LISTEN", "chat")], false).unwrap_err().to_string();

        assert!(refused.starts_with("IRONGATE_CHAT__LISTEN  "), "{refused}");
    }
}

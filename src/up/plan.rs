//! Where each program listens and what it is told, worked out before anything starts.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

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
    /// A socket below the data directory, when nobody said anything else: it costs a request less than TCP, and
    /// only who may read the directory reaches the service past the gateway.
    fn socket(
        &self,
        env: &dyn Env,
        gateway: &irongate_gateway::Settings,
        data: &Path,
    ) -> Result<Option<String>, ConfigErrors> {
        let shipped = irongate_gateway::Settings::default();
        let name = self.program.trim_end_matches("-svc");
        let is_said = env.get(self.api.0).is_some()
            || env.get(self.upstream_variable).is_some()
            || gateway.upstream.get(name) != shipped.upstream.get(name);
        let data = std::path::absolute(data)
            .map_err(|why| ConfigError::new("IRONGATE_DATA", format!("`{}`: {why}", data.display())))?;
        let path = data.join("run").join(format!("{}.sock", self.program));
        let is_possible = path.as_os_str().len() <= LONGEST_SOCKET && path.to_str().is_some();
        Ok((!is_said && is_possible).then(|| format!("unix:{}", path.display())))
    }

    /// The TCP addresses that it will bind.
    fn addresses(&self, env: &dyn Env, has_socket: bool) -> Result<Vec<Address>, ConfigErrors> {
        let mut addresses = Vec::new();
        for (variable, default_port) in [self.api, self.metrics] {
            let listen = match env.get(variable).as_deref() {
                None if has_socket && variable == self.api.0 => continue,
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

/// What the system takes as the path of a socket, with some room.
const LONGEST_SOCKET: usize = 100;
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
            let socket = service.socket(env, &gateway, &platform.data)?;
            addresses.extend(service.addresses(env, socket.is_some())?);
            if let Some(socket) = socket {
                environment.push((service.upstream_variable, socket.clone()));
                environment.push((service.api.0, socket));
            } else if let Some(chosen) = env.get(service.api.0)
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
        assert_eq!(ports, [9101, 9102, 9103, 8080, 8443, 9901]);
        assert_eq!(plan.site, "https://localhost:8443");
        assert_eq!(plan.health.to_string(), "127.0.0.1:9901");
        assert_eq!(told(&plan, "GATEWAY_URL"), Some("https://localhost:8443"));
    }

    fn told<'p>(plan: &'p Plan, variable: &str) -> Option<&'p str> {
        plan.environment.iter().find(|(name, _)| *name == variable).map(|(_, value)| value.as_str())
    }

    #[test]
    fn services_and_gateway_meet_at_a_socket_below_the_data() {
        let plan = Plan::from_env(&[("IRONGATE_DATA", "/srv/irongate")], false).unwrap();

        let socket = Some("unix:/srv/irongate/run/auth-svc.sock");
        assert_eq!(told(&plan, "IRONGATE_AUTH__LISTEN"), socket);
        assert_eq!(told(&plan, "IRONGATE_GATEWAY__UPSTREAM__AUTH__SERVERS"), socket);
    }

    #[test]
    fn where_no_socket_can_be_the_services_keep_their_ports() {
        let long = format!("/{}", "x".repeat(100));
        let plan = Plan::from_env(&[("IRONGATE_DATA", long.as_str())], false).unwrap();

        assert_eq!(told(&plan, "IRONGATE_AUTH__LISTEN"), None);
        assert!(plan.addresses.iter().any(|address| address.at.port() == 7001));
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

        assert_eq!(told(&plan, "IRONGATE_GATEWAY__UPSTREAM__CHAT__SERVERS"), Some("127.0.0.1:7103"));
        assert_eq!(told(&plan, "IRONGATE_CHAT__LISTEN"), None);
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

        assert_eq!(told(&plan, "IRONGATE_GATEWAY__UPSTREAM__CHAT__SERVERS"), None);
        assert_eq!(told(&plan, "IRONGATE_CHAT__LISTEN"), None);
        assert_eq!(told(&plan, "GATEWAY_URL"), None);
        assert_eq!(plan.site, "https://chat.example.org");
    }

    #[test]
    fn a_wrong_address_is_refused_by_the_name_of_its_variable() {
        let refused = Plan::from_env(&[("IRONGATE_CHAT__LISTEN", "chat")], false).unwrap_err().to_string();

        assert!(refused.starts_with("IRONGATE_CHAT__LISTEN  "), "{refused}");
    }
}

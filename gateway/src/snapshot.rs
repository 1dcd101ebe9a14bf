//! Everything a reload swaps, as one immutable value. A request keeps the snapshot it began with.

use std::{collections::BTreeMap, sync::Arc};

use irongate_shared::config::{ConfigErrors, Network};
use jiff::Timestamp;

use crate::{
    config::{
        Settings,
        check::{self, Mistakes},
    },
    exchange::h1::Deadlines,
    guard::{addresses::AddressRule, rate::RateLimit},
    route::Table,
    upstream::{Pool, PoolSettings, Registry},
    wire::HeadLimits,
};

pub(crate) struct Snapshot {
    /// Counts the reloads since the start.
    pub(crate) version: u64,
    pub(crate) loaded_at: Timestamp,
    /// Files and variables it was read from.
    pub(crate) origin: String,
    /// Keys that were changed and wait for a restart.
    pub(crate) waiting: Vec<&'static str>,
    pub(crate) routes: Table,
    pub(crate) pools: BTreeMap<String, Arc<Pool>>,
    pub(crate) head_limits: HeadLimits,
    pub(crate) deadlines: Deadlines,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) addresses: AddressRule,
    pub(crate) rate: Option<RateLimit>,
    /// What stands behind the host in redirects to HTTPS; nothing for the usual port.
    pub(crate) redirect_port: String,
    pub(crate) hsts: Option<String>,
    pub(crate) settings: Settings,
}

/// Settings that were checked and can be put in force.
pub(crate) struct Checked {
    pub(crate) settings: Settings,
    pools: BTreeMap<String, PoolSettings>,
}

/// Looks for every mistake in `settings`.
pub(crate) fn check(settings: Settings) -> Result<Checked, ConfigErrors> {
    let mut mistakes = Mistakes::default();
    check::listeners(&settings, &mut mistakes);
    check::tls(&settings, &mut mistakes);
    let pools = check::upstreams(&settings, &mut mistakes);
    let trial = Registry::new().configure(pools.clone());
    let _ = check::routes(&settings, &trial, &mut mistakes);
    let _ = check::networks(&settings.client.trusted_proxies, "client.trusted_proxies", &mut mistakes);
    let _ = check::address_rule(&settings.client.allow, &settings.client.deny, "[client]", &mut mistakes);
    mistakes.into_result()?;
    Ok(Checked { settings, pools })
}

impl Snapshot {
    /// Puts checked settings in force: upstreams that stay keep their state.
    pub(crate) fn build(checked: Checked, origin: String, version: u64, registry: &Registry) -> Self {
        let Checked { settings, pools } = checked;
        let pools = registry.configure(pools);
        // Mistakes were found by `check`; there are none left to collect.
        let mut none = Mistakes::default();
        let limits = &settings.limits;
        let hsts = settings.tls.hsts.get().as_secs();
        let https_port =
            settings.listen.https.first().and_then(|address| address.rsplit(':').next()?.parse().ok());
        Self {
            version,
            loaded_at: Timestamp::now(),
            origin,
            waiting: Vec::new(),
            routes: Table::new(check::routes(&settings, &pools, &mut none)),
            head_limits: HeadLimits {
                bytes: limits.head.as_usize(),
                fields: limits.fields,
                target: limits.target.as_usize(),
            },
            deadlines: Deadlines { body_read: limits.body_timeout.get(), write: limits.write_timeout.get() },
            trusted_proxies: check::networks(&settings.client.trusted_proxies, "", &mut none),
            addresses: check::address_rule(&settings.client.allow, &settings.client.deny, "", &mut none),
            rate: check::rate(limits.rate, limits.burst),
            redirect_port: match settings.listen.redirect_port.or(https_port) {
                None | Some(443) => String::new(),
                Some(port) => format!(":{port}"),
            },
            hsts: (hsts > 0).then(|| format!("max-age={hsts}; includeSubDomains")),
            pools,
            settings,
        }
    }
}

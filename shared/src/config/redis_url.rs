//! Addresses of Redis: one server, or a cluster.

use anyhow::Context as _;
use url::Url;

/// The scheme of a `REDIS_URL` that names a cluster: `redis+cluster://user:password@a:6379?node=b:6379&node=c:6379`.
pub const CLUSTER: &str = "redis+cluster";

/// The address of one server: of a cluster its first node, for what goes through any of them.
pub fn one_of(url: &Url) -> Url {
    let first = match url.scheme() {
        CLUSTER => nodes_of(url).ok().and_then(|nodes| nodes.into_iter().next()),
        _ => None,
    };
    first.unwrap_or_else(|| url.clone())
}

/// Where a cluster can be asked for the rest of itself: the URL's own host, and its `node`s under the same name and
/// password.
///
/// # Errors
/// One of them is no address.
pub fn nodes_of(cluster: &Url) -> anyhow::Result<Vec<Url>> {
    let account = match (cluster.username(), cluster.password()) {
        ("", None) => String::new(),
        (user, password) => format!("{user}:{}@", password.unwrap_or_default()),
    };
    let host = cluster.host_str().unwrap_or("localhost");
    let first = cluster.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let others = cluster.query_pairs().map(|(name, value)| match &*name {
        "node" => Ok(value.into_owned()),
        _ => Err(anyhow::anyhow!("`{name}` is nothing that a cluster's URL can say; write node=host:port")),
    });
    [Ok(first)]
        .into_iter()
        .chain(others)
        .map(|node| {
            let node = node?;
            Url::parse(&format!("redis://{account}{node}"))
                .with_context(|| format!("`{node}` is no host:port"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clusters_nodes_are_asked_under_its_name_and_password() {
        let nodes =
            |url: &str| nodes_of(&url.parse().unwrap()).map(|urls| urls.iter().map(Url::to_string).collect());

        assert_eq!(nodes("redis+cluster://a").ok(), Some(vec!["redis://a".to_owned()]));
        let three: Vec<String> = nodes("redis+cluster://app:s%40me@a:1?node=b:2&node=[::1]:3").unwrap();
        assert_eq!(three, ["redis://app:s%40me@a:1", "redis://app:s%40me@b:2", "redis://app:s%40me@[::1]:3"]);
        let unknown: anyhow::Result<Vec<String>> = nodes("redis+cluster://a?nodes=b");
        assert!(unknown.unwrap_err().to_string().starts_with("`nodes` is nothing"));
        assert_eq!(
            nodes("redis+cluster://a?node=b:port").unwrap_err().to_string(),
            "`b:port` is no host:port"
        );
    }
}

//! Redis, with a bound on every wait.
//!
//! Redis is never the only holder of anything that matters: it hurries what the database already has. So a Redis
//! that is away or stalls costs a caller at most [`WAIT`], and callers go on without it.

use std::time::Duration;

use deadpool_redis::{
    Manager, Pool, Runtime, Timeouts,
    redis::{AsyncConnectionConfig, cmd},
};
use url::Url;

use crate::secret::Secret;

/// How long any step towards Redis may take. The library's own defaults wait for ever.
pub const WAIT: Duration = Duration::from_millis(200);

/// A bounded pool of connections that come back by themselves after an outage. Building it connects to nothing.
///
/// # Errors
/// The URL names something that the client library cannot reach.
pub fn pool(url: &Secret<Url>, size: usize) -> anyhow::Result<Pool> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(WAIT)).set_response_timeout(Some(WAIT));
    let manager = Manager::new_with_config(url.expose().as_str(), config)?;
    let pool = Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts { wait: Some(WAIT), create: Some(WAIT * 2), recycle: Some(WAIT) })
        .build()?;
    Ok(pool)
}

/// Asks Redis whether it is there, for `/health`.
///
/// # Errors
/// Why it is not, in words for an operator.
pub async fn ping(pool: &Pool) -> Result<(), String> {
    let mut connection = pool.get().await.map_err(|why| why.to_string())?;
    cmd("PING").query_async::<()>(&mut connection).await.map_err(|why| why.to_string())
}

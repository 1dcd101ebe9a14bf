//! Private servers for tests: a PostgreSQL shared by one test binary, Redis servers and clusters, an S3-compatible store, free
//! ports, and waiting.
//!
//! ```no_run
//! use irongate_test_servers::{Postgres, Redis};
//!
//! let database = Postgres::shared().database(); // an empty database of this test alone
//! let redis = Redis::start();
//! println!("{} {}", database.url(), redis.url());
//! ```
//!
//! Besides, what tests of several crates share: inputs for readers of foreign bytes ([`read_corpora`]).
//!
//! Every server belongs to a guard (`guard.sh`): a small shell that ends the server and removes its directory
//! when the test process ends in any way, killed with SIGKILL included. What is not installed is said by name,
//! with the line that installs it; a test is never skipped for it.

// A tool for tests: a panic with its reason is the way to report here.
#![expect(clippy::expect_used, reason = "a test that cannot start its servers fails, saying why")]

mod corpus;
mod disk;
mod guard;
mod ports;
mod postgres;
mod python;
mod redis;
mod redis_cluster;
mod s3;
mod wait;

pub use corpus::{Reader, read_corpora};
pub use disk::SmallDisk;
pub use ports::free_port;
pub use postgres::{Database, Postgres};
pub use python::python_program;
pub use redis::{Client, Redis};
pub use redis_cluster::RedisCluster;
pub use s3::S3;
pub use wait::{eventually, wait_until};

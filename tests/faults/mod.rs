//! Something breaks: what goes on, what says so, what comes back by itself, and that nothing acknowledged is lost.
//!
//! | file | what breaks |
//! |---|---|
//! | `programs.rs` | the gateway or a service is killed, stands still, or is slow |
//! | `events.rs` | services that should hear of an account are away for long |
//! | `flood.rs` | more people sign in than passwords can be checked |
//! | `postgres.rs` | PostgreSQL stops, crashes, stands still, has no connection or no disk left |
//! | `redis.rs` | Redis stops, stands still, takes nobody in, has no memory left |
//! | `sqlite.rs` | the file is locked by somebody, or its disk is full |
//! | `clock.rs` | the machine's time is put right by a minute |

mod clock;
mod events;
mod flood;
mod postgres;
mod programs;
mod redis;
mod sqlite;

//! chat-svc through the doors that clients take: HTTP and WebSocket, on SQLite and on PostgreSQL.
//!
//! - `rooms`, `messages`, `moderation`: what can be done in rooms, mostly over HTTP
//! - `access`: what is private
//! - `attachments`: files in messages, in the data directory and in S3
//! - `search`: finding messages again
//! - `live`: the WebSocket: order, resume, replay
//! - `people`: names and pictures
//! - `replicas`: three of them over PostgreSQL and Redis
//! - `redis_cluster`: the same over a cluster of Redis, and what it may lose
//! - `lossless`: tries to prove that something is lost
//! - `hostile`: clients that misbehave
//! - `conformance`: the Autobahn cases
//! - `javascript`: the client of static/app/net, in node
//! - `service`: health, documents, start and stop
//!
//! [`support`] starts the service in this process and speaks to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that finds something else than it expects fails, saying what"
)]

mod access;
mod attachments;
mod conformance;
mod hostile;
mod javascript;
mod live;
mod lossless;
mod messages;
mod moderation;
mod people;
mod redis_cluster;
mod replicas;
mod rooms;
mod search;
mod service;
mod support;

//! `GET /chat/ws`

pub(crate) use crate::ws::open;

//! From a request to the route that answers it.

pub(crate) mod path;
mod table;

pub(crate) use table::{Action, Found, HostPattern, Limits, RequiredIdentity, Route, Table};

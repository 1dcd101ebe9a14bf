//! What may refuse a request before anything answers it.

pub(crate) mod addresses;
pub(crate) mod cors;
pub(crate) mod identity;
pub(crate) mod rate;

//! What answers a request.

pub(crate) mod compress;
pub(crate) mod encoding;
pub(crate) mod full;
pub(crate) mod problem;
pub(crate) mod proxy;
pub(crate) mod redirect;
pub(crate) mod static_files;
pub(crate) mod tunnel;

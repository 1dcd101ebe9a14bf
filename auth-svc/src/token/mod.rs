//! Making access tokens, and the keys and secrets that takes. Verifying them is `irongate_shared::token`.

mod seal;
mod signer;

pub(crate) use seal::{MasterKey, Sealer};
pub(crate) use signer::{Minted, Signer, SignerError};

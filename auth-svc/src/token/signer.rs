//! Signs access tokens, and replaces the key that does.
//!
//! A key is made an hour before it signs, so that who caches the JWKS has it in time, and stays published until the
//! last token that it signed has run out. All of that is decided when a token is made: an idle service does nothing.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use irongate_shared::{
    account::User,
    clock::{Clock, Timestamp},
    db::{Database, DbError},
    id::{SessionId, TokenId},
    problem::Problem,
    token::{Claims, ServiceClaims},
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use serde::Serialize;

use super::{MasterKey, Sealer};
use crate::{
    config::Settings,
    store::signing_keys::{self, KeyRow},
};

/// How long before it signs a key is published.
const PUBLISHED_FIRST: Duration = Duration::from_secs(3600);

/// How long the keys that were read serve before they are read again: another replica may have made one.
const REREAD: Duration = Duration::from_secs(60);

/// How long a service's token is good.
const SERVICE_LIFETIME: Duration = Duration::from_secs(600);

pub(crate) struct Signer {
    database: Database,
    clock: Clock,
    sealer: Arc<Sealer>,
    issuer: String,
    lifetime: Duration,
    rotation: Duration,
    current: ArcSwapOption<SigningKey>,
}

struct SigningKey {
    kid: String,
    key: EncodingKey,
    read_at: Timestamp,
}

/// A token, and for how long it is good.
#[derive(Debug)]
pub(crate) struct Minted {
    pub access_token: String,
    pub expires_in: Duration,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SignerError {
    #[error(
        "the signing key {0} in the database was sealed with another master key: all auth-svc share one secrets folder (IRONGATE_SECRETS)"
    )]
    ForeignKey(String),
    #[error("a key could not be made or used: {0}")]
    Crypto(String),
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for SignerError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

impl From<SignerError> for Problem {
    fn from(why: SignerError) -> Self {
        match why {
            SignerError::Database(why) => why.into(),
            SignerError::ForeignKey(_) | SignerError::Crypto(_) => Self::internal(why),
        }
    }
}

impl Signer {
    /// Reads the keys, makes the first one when there is none.
    pub(crate) async fn open(
        database: Database,
        clock: Clock,
        master: &MasterKey,
        issuer: &str,
        settings: &Settings,
    ) -> Result<Self, SignerError> {
        let signer = Self {
            database,
            clock,
            sealer: Arc::new(Sealer::new(master, "signing keys")),
            issuer: issuer.to_owned(),
            lifetime: settings.access_lifetime.get(),
            rotation: settings.key_rotation.get(),
            current: ArcSwapOption::empty(),
        };
        signer.key(signer.clock.now()).await?;
        Ok(signer)
    }

    /// An access token for `user` in `session`, as of `now`: before `user` was read. So what is revoked after the
    /// reading takes this token too.
    pub(crate) async fn mint(
        &self,
        user: &User,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Minted, SignerError> {
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: user.id,
            aud: Claims::AUDIENCE.to_owned(),
            exp: (now + self.lifetime).as_secs(),
            iat: now.as_secs(),
            nbf: now.as_secs(),
            jti: TokenId::at(now),
            sid: session,
            scope: "user chat".to_owned(),
            roles: vec![user.role],
            preferred_username: user.username.clone(),
            name: user.display_name.clone(),
            picture: user.avatar_url.clone(),
        };
        let access_token = self.sign(&claims, now).await?;
        Ok(Minted { access_token, expires_in: self.lifetime })
    }

    /// An access token for a service.
    pub(crate) async fn mint_for_service(&self, client: &str, scope: &str) -> Result<Minted, SignerError> {
        let now = self.clock.now();
        let claims = ServiceClaims {
            iss: self.issuer.clone(),
            sub: client.to_owned(),
            client_id: client.to_owned(),
            aud: Claims::AUDIENCE.to_owned(),
            exp: (now + SERVICE_LIFETIME).as_secs(),
            iat: now.as_secs(),
            nbf: now.as_secs(),
            jti: TokenId::at(now),
            scope: scope.to_owned(),
        };
        let access_token = self.sign(&claims, now).await?;
        Ok(Minted { access_token, expires_in: SERVICE_LIFETIME })
    }

    async fn sign(&self, claims: &impl Serialize, now: Timestamp) -> Result<String, SignerError> {
        let key = self.key(now).await?;
        let header = Header {
            typ: Some(Claims::TYPE.to_owned()),
            kid: Some(key.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, claims, &key.key).map_err(|why| SignerError::Crypto(why.to_string()))
    }

    /// Every key that a valid token may be signed with (RFC 7517).
    pub(crate) async fn published(&self) -> Result<JwkSet, DbError> {
        let now = self.clock.now();
        let rows = self.database.read(move |db| signing_keys::valid_at(db, now)).await?;
        Ok(JwkSet { keys: rows.iter().filter_map(|row| public_jwk(&row.kid, &row.public_key)).collect() })
    }

    async fn key(&self, now: Timestamp) -> Result<Arc<SigningKey>, SignerError> {
        if let Some(key) = self.current.load_full()
            && now.since(key.read_at) < REREAD
        {
            return Ok(key);
        }
        let (sealer, lifetime, rotation) = (Arc::clone(&self.sealer), self.lifetime, self.rotation);
        let own = self
            .database
            .write(move |db| {
                let mut keys = own_keys(&sealer, signing_keys::valid_at(db, now + lifetime)?)?;
                let due = |key: &OwnKey| key.row.created_at_ms + rotation <= now + PUBLISHED_FIRST;
                if keys.iter().all(due) {
                    // Two that find this at once, here or in a replica, make one key between them.
                    signing_keys::lock(db)?;
                    keys = own_keys(&sealer, signing_keys::valid_at(db, now + lifetime)?)?;
                }
                if keys.iter().all(due) {
                    let made = make(&sealer, now, now + rotation + lifetime + PUBLISHED_FIRST * 24)?;
                    signing_keys::insert(db, &made.row)?;
                    tracing::info!(kid = made.row.kid, "made a signing key");
                    keys.push(made);
                }
                let published = |key: &OwnKey| key.row.created_at_ms + PUBLISHED_FIRST <= now;
                // A published one before any other, of those the newest.
                let best = |key: &OwnKey| (published(key), key.row.created_at_ms, key.row.kid.clone());
                keys.into_iter().max_by_key(best).ok_or_else(|| SignerError::Crypto("no key".to_owned()))
            })
            .await?;
        let key = Arc::new(SigningKey {
            kid: own.row.kid,
            key: EncodingKey::from_ed_der(&own.pkcs8),
            read_at: now,
        });
        self.current.store(Some(Arc::clone(&key)));
        Ok(key)
    }
}

/// A key of the table that our master key opens.
struct OwnKey {
    row: KeyRow,
    pkcs8: Vec<u8>,
}

/// The keys that we can sign with. Others are passed over, lest an auth-svc with another master key stop the sign-ins of
/// all; but who finds nothing else is that one, and makes no key.
fn own_keys(sealer: &Sealer, rows: Vec<KeyRow>) -> Result<Vec<OwnKey>, SignerError> {
    let (mut own, mut foreign) = (Vec::new(), None);
    for row in rows {
        match sealer.open(&row.kid, &row.private_key) {
            Ok(pkcs8) => own.push(OwnKey { row, pkcs8 }),
            Err(_) => foreign = Some(row.kid),
        }
    }
    match foreign {
        Some(kid) if own.is_empty() => return Err(SignerError::ForeignKey(kid)),
        Some(kid) => {
            tracing::warn!(
                kid,
                "a signing key was sealed with another master key: another auth-svc has other secrets"
            );
        }
        None => {}
    }
    Ok(own)
}

fn make(sealer: &Sealer, now: Timestamp, expires: Timestamp) -> Result<OwnKey, SignerError> {
    let failed = |what: &str| SignerError::Crypto(what.to_owned());
    let pair = Ed25519KeyPair::generate().map_err(|_| failed("generating"))?;
    // Version 1: jsonwebtoken does not read the public key that version 2 appends.
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| failed("writing down"))?;
    let public_key = pair.public_key().as_ref().to_vec();
    let jwk = Jwk::from_encoding_key(&EncodingKey::from_ed_der(pkcs8.as_ref()), Algorithm::EdDSA)
        .map_err(|_| failed("naming"))?;
    let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| failed("naming"))?;
    let private_key = sealer.seal(&kid, pkcs8.as_ref());
    let row = KeyRow { kid, public_key, private_key, created_at_ms: now, expires_at_ms: expires };
    Ok(OwnKey { row, pkcs8: pkcs8.as_ref().to_vec() })
}

/// RFC 8037 §2: an Ed25519 key is an octet key pair, its `x` the raw public key.
fn public_jwk(kid: &str, public_key: &[u8]) -> Option<Jwk> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut jwk: Jwk = serde_json::from_value(serde_json::json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "kid": kid,
        "x": URL_SAFE_NO_PAD.encode(public_key),
    }))
    .ok()?;
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    Some(jwk)
}

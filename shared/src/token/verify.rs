//! The verifier: signature and claims once per token, the blacklist every time.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use deadpool_redis::redis::RedisError;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::{sync::watch, time::Instant};
use url::Url;

use super::{
    Claims, Identity, REVOCATION_LAG, ServiceClaims, ServiceIdentity,
    cache::{Fingerprint, SeenTokens},
    hurry::Hurry,
    keys::Keys,
    revocation::{Blacklist, News},
};
use crate::{
    clock::{Clock, Timestamp},
    db::{CHECKOUT_WAIT, Database, DbError},
    problem::{Problem, kind},
    secret::Secret,
};

/// Ours take under 1 KiB; hashing and parsing more is work for an attacker.
const LONGEST_TOKEN: usize = 4096;

/// How often the copy of the blacklist is read again while somebody uses it.
const REFRESH: Duration = Duration::from_millis(100);

/// How far into the future a token's beginning may lie: clocks of two machines differ, and one that is put right by a
/// minute must not sign out everybody who has just signed in. Its end is held to the second.
const LEEWAY_S: u64 = 90;

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("no access token was sent")]
    Missing,
    #[error("the access token is not valid: {0}")]
    Invalid(&'static str),
    #[error("the access token has expired")]
    Expired,
    #[error("the session has ended")]
    Revoked,
    /// The blacklist or the keys cannot be read, and nothing is accepted without.
    #[error(transparent)]
    Unavailable(#[from] DbError),
}

impl PartialEq for TokenError {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Invalid(mine), Self::Invalid(theirs)) => mine == theirs,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl From<TokenError> for Problem {
    fn from(why: TokenError) -> Self {
        let refused = |detail: &str| {
            Self::new(kind::UNAUTHENTICATED)
                .detail(detail.to_owned())
                .challenge(r#"Bearer realm="irongate", error="invalid_token""#)
        };
        match why {
            TokenError::Missing => Self::new(kind::UNAUTHENTICATED)
                .detail("Sign in, and send the access token in the header Authorization: Bearer ….")
                .challenge(r#"Bearer realm="irongate""#),
            TokenError::Invalid(_) => refused("The access token is not valid. Sign in again."),
            TokenError::Expired => refused("The access token has expired. Refresh it, or sign in again."),
            TokenError::Revoked => refused("The session has ended. Sign in again."),
            TokenError::Unavailable(why) => why.into(),
        }
    }
}

/// Decides whether access tokens are valid. Cheap to clone; a process needs one.
#[derive(Clone)]
pub struct Verifier(pub(super) Arc<Inner>);

pub(super) struct Inner {
    database: Database,
    clock: Clock,
    rules: Validation,
    seen: Mutex<SeenTokens>,
    view: ArcSwap<View>,
    /// At least as new as the view.
    blacklist: RwLock<Blacklist>,
    /// Held while the database is read, so that a crowd reads once.
    reading: tokio::sync::Mutex<()>,
    /// Tells who holds a token for long (a WebSocket) that the blacklist is another.
    changed: watch::Sender<()>,
    used: watch::Sender<Instant>,
    hurry: OnceLock<Hurry>,
}

/// One reading.
struct View {
    /// When it began: keys and blacklist hold whatever was committed before.
    as_of: Option<Instant>,
    keys: Keys,
}

impl Verifier {
    /// A verifier of tokens from `issuer`. Reads nothing yet: the database may come up later.
    pub fn new(database: Database, issuer: &str, clock: Clock) -> Self {
        let view = View { as_of: None, keys: Keys::default() };
        let verifier = Self(Arc::new(Inner {
            database,
            clock,
            rules: rules(issuer),
            seen: Mutex::new(SeenTokens::new()),
            view: ArcSwap::from_pointee(view),
            blacklist: RwLock::default(),
            reading: tokio::sync::Mutex::new(()),
            changed: watch::Sender::new(()),
            used: watch::Sender::new(Instant::now()),
            hurry: OnceLock::new(),
        }));
        verifier.keep_fresh();
        verifier
    }

    /// Has Redis carry the word that something was revoked, where there is one.
    ///
    /// # Errors
    /// The URL names something that the client library cannot reach.
    pub fn hurried_by(self, redis: Option<&Secret<Url>>) -> Result<Self, RedisError> {
        if let Some(url) = redis {
            let hurry = Hurry::start(url, Arc::downgrade(&self.0))?;
            self.0.hurry.get_or_init(|| hurry);
        }
        Ok(self)
    }

    /// Whose token this is, if it is valid at this moment.
    ///
    /// # Errors
    /// Why it is not; [`TokenError::Unavailable`] when that cannot be known.
    pub async fn verify(&self, token: &str) -> Result<Arc<Identity>, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::Invalid("too long"));
        }
        let view = self.fresh_view().await?;
        let fingerprint: Fingerprint = Sha256::digest(token).into();
        let seen = self.seen().get(&fingerprint);
        let identity = match seen {
            Some(identity) => identity,
            None => {
                let claims = self.examine(token, view, |claims: &Claims| (claims.nbf, claims.iat)).await?;
                let identity = Arc::new(Identity::from_claims(claims));
                self.seen().insert(fingerprint, Arc::clone(&identity));
                identity
            }
        };
        self.still_valid(&identity)?;
        Ok(identity)
    }

    /// Whether a token that was accepted earlier still is, by the newest copy of the blacklist. Asks nobody.
    ///
    /// # Errors
    /// [`TokenError::Expired`] or [`TokenError::Revoked`].
    pub fn still_valid(&self, identity: &Identity) -> Result<(), TokenError> {
        if self.0.clock.now() >= identity.expires_at {
            return Err(TokenError::Expired);
        }
        let blacklist = self.0.blacklist.read().unwrap_or_else(PoisonError::into_inner);
        if blacklist.refuses(identity) {
            return Err(TokenError::Revoked);
        }
        Ok(())
    }

    /// Wakes its holder whenever the blacklist has become another. While one is held, the copy is kept fresh even
    /// though nobody verifies: a revoked token is noticed within [`REVOCATION_LAG`] and a reading.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Tells the others that something was revoked, and waits until every process refuses it. To be called after the
    /// commit, before the answer.
    pub async fn settled(&self) {
        self.tell_others();
        tokio::time::sleep(REVOCATION_LAG).await;
    }

    /// The same without waiting, where nobody was promised anything.
    pub fn tell_others(&self) {
        self.0.hurry.get().into_iter().for_each(Hurry::tell);
    }

    /// Reads now, because somebody says that there is news.
    pub(super) async fn look_again(&self) {
        if let Err(why) = self.read_again(Duration::ZERO).await {
            tracing::debug!(reason = %why, "the blacklist could not be read");
        }
    }

    /// Which service's token this is, if it is valid at this moment. Asked rarely, so nothing is remembered; services
    /// are not revoked but lose their secret, and what they hold runs out in minutes.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub async fn verify_service(&self, token: &str) -> Result<ServiceIdentity, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::Invalid("too long"));
        }
        let view = self.fresh_view().await?;
        let claims: ServiceClaims =
            self.examine(token, view, |claims: &ServiceClaims| (claims.nbf, claims.iat)).await?;
        if self.0.clock.now().as_secs() >= claims.exp {
            return Err(TokenError::Expired);
        }
        Ok(ServiceIdentity::from_claims(&claims))
    }

    /// Reads the claims of a token whose signature, type, issuer and audience are right and whose time has come.
    async fn examine<C: DeserializeOwned>(
        &self,
        token: &str,
        view: Arc<View>,
        begins: impl Fn(&C) -> (i64, i64),
    ) -> Result<C, TokenError> {
        let kid = key_id(token)?;
        let now = self.0.clock.now();
        let view = match view.keys.get(&kid, now) {
            Some(_) => view,
            None => self.read_for_unknown_key().await?,
        };
        let key = view.keys.get(&kid, now).ok_or(TokenError::Invalid("unknown key"))?;
        claims_of(token, key, &self.0.rules, now, begins)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, SeenTokens> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fresh_view(&self) -> Result<Arc<View>, DbError> {
        let now = Instant::now();
        self.0.used.send_if_modified(|used| {
            let stale = now.duration_since(*used) > Duration::from_secs(1);
            if stale {
                *used = now;
            }
            stale
        });
        let view = self.0.view.load_full();
        if view.is_fresh(REVOCATION_LAG) {
            return Ok(view);
        }
        self.read_again(REVOCATION_LAG).await
    }

    /// A key may be younger than our copy. SECURITY: made-up key ids must not read the database at will: whoever
    /// brings one waits for a reading begun after they came, and all who wait share it.
    async fn read_for_unknown_key(&self) -> Result<Arc<View>, DbError> {
        tokio::time::sleep(REFRESH / 2).await;
        self.read_again(REFRESH / 2).await
    }

    /// Reads keys, and what is new on the blacklist, unless somebody else did within `within`, meanwhile.
    async fn read_again(&self, within: Duration) -> Result<Arc<View>, DbError> {
        // A database that stands still must not make a queue of those who wait, each for the one before.
        let Ok(_alone) = tokio::time::timeout(CHECKOUT_WAIT, self.0.reading.lock()).await else {
            return Err(DbError::Busy("the blacklist is being read for too long".to_owned()));
        };
        let before = self.0.view.load_full();
        if before.is_fresh(within) {
            return Ok(before);
        }
        let as_of = Instant::now();
        let now = self.0.clock.now();
        let seen = self.0.blacklist.read().unwrap_or_else(PoisonError::into_inner).seq();
        let (keys, news) = self
            .0
            .database
            .read(move |db| Ok::<_, DbError>((Keys::read(db, now)?, News::after(db, seen, now)?)))
            .await?;
        if before.keys.lost_one_in(&keys) {
            self.seen().clear();
        }
        let is_news = !news.is_empty();
        // Before the view says that it is there.
        self.0.blacklist.write().unwrap_or_else(PoisonError::into_inner).take_in(news, now);
        let view = Arc::new(View { as_of: Some(as_of), keys });
        self.0.view.store(Arc::clone(&view));
        if is_news {
            self.0.changed.send_replace(());
        }
        Ok(view)
    }

    /// Reads again and again while there is use, so that requests find a fresh copy and ask nobody. Ends with the
    /// last verifier.
    fn keep_fresh(&self) {
        let weak = Arc::downgrade(&self.0);
        let mut used = self.0.used.subscribe();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(REFRESH).await;
                let Some(inner) = weak.upgrade() else { return };
                let verifier = Self(inner);
                let idle = used.borrow_and_update().elapsed() > Duration::from_secs(5);
                if idle && verifier.0.changed.receiver_count() == 0 {
                    drop(verifier);
                    if used.changed().await.is_err() {
                        return;
                    }
                } else if let Err(why) = verifier.read_again(REFRESH / 2).await {
                    tracing::debug!(reason = %why, "the blacklist could not be read");
                }
            }
        });
    }
}

fn rules(issuer: &str) -> Validation {
    let mut rules = Validation::new(Algorithm::EdDSA);
    // SECURITY: the library's defaults accept expired, early, and foreign tokens.
    rules.leeway = LEEWAY_S;
    rules.validate_exp = false; // against our clock, below
    rules.validate_nbf = false;
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[Claims::AUDIENCE]);
    rules.required_spec_claims = ["exp", "nbf", "iss", "aud", "sub"].map(str::to_owned).into();
    rules
}

/// The name of the key under which a token says that it was signed.
fn key_id(token: &str) -> Result<String, TokenError> {
    let header = decode_header(token).map_err(|_| TokenError::Invalid("no JWT"))?;
    // SECURITY: RFC 8725 §3.1 and §3.11: one algorithm, one type, no extension that we would have to understand.
    if header.alg != Algorithm::EdDSA {
        return Err(TokenError::Invalid("algorithm"));
    }
    if header.typ.as_deref() != Some(Claims::TYPE) {
        return Err(TokenError::Invalid("type"));
    }
    if header.crit.is_some() {
        return Err(TokenError::Invalid("critical extension"));
    }
    header.kid.ok_or(TokenError::Invalid("no key id"))
}

/// What a token says whose signature, issuer and audience are right and whose time has come.
fn claims_of<C: DeserializeOwned>(
    token: &str,
    key: &DecodingKey,
    rules: &Validation,
    now: Timestamp,
    begins: impl Fn(&C) -> (i64, i64),
) -> Result<C, TokenError> {
    let claims =
        decode::<C>(token, key, rules).map_err(|_| TokenError::Invalid("signature or claims"))?.claims;
    let leeway = i64::try_from(LEEWAY_S).unwrap_or(0);
    let (not_before, issued) = begins(&claims);
    if not_before.max(issued) > now.as_secs() + leeway {
        return Err(TokenError::Invalid("not valid yet"));
    }
    Ok(claims)
}

/// Nothing is accepted that our key has not signed as a token of ours, from us, to us, for now, whatever it says.
#[cfg(test)]
pub(crate) fn fuzz(data: &[u8]) {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

    const ISSUER: &str = "https://localhost:8443";
    let now = Timestamp::from_secs(1_800_000_000);
    let Ok(pair) = Ed25519KeyPair::from_seed_unchecked(&[7; 32]) else { return };
    let key = DecodingKey::from_ed_der(pair.public_key().as_ref());
    let open = |token: &str| -> Result<Claims, TokenError> {
        key_id(token)?;
        claims_of(token, &key, &rules(ISSUER), now, |claims: &Claims| (claims.nbf, claims.iat))
    };

    if let Ok(token) = std::str::from_utf8(data) {
        assert!(open(token).is_err(), "nobody has signed this");
    }
    let mut parts = data.splitn(2, |byte| *byte == 0).map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let (Some(header), Some(claims)) = (parts.next(), parts.next()) else { return };
    let signed = format!("{header}.{claims}");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
    if let Ok(claims) = open(&format!("{signed}.{signature}")) {
        let header = BASE64_URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap_or_default();
        let said = |name| header.get(name).and_then(serde_json::Value::as_str);
        assert_eq!((said("alg"), said("typ")), (Some("EdDSA"), Some(Claims::TYPE)));
        assert!(said("kid").is_some() && header.get("crit").is_none_or(serde_json::Value::is_null));
        assert_eq!((&*claims.iss, &*claims.aud), (ISSUER, Claims::AUDIENCE));
        assert!(claims.nbf.max(claims.iat) <= now.as_secs() + 90);
    }
}

impl View {
    fn is_fresh(&self, within: Duration) -> bool {
        self.as_of.is_some_and(|as_of| as_of.elapsed() < within)
    }
}

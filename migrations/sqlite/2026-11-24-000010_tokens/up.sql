-- Keys that access tokens are signed with. Owned by auth-svc; every verifier reads kid, public_key and expires_at_ms.
CREATE TABLE signing_keys (
    kid           TEXT    NOT NULL PRIMARY KEY,
    -- Raw Ed25519 public key, 32 bytes.
    public_key    BLOB    NOT NULL,
    -- PKCS #8, sealed with the installation's key: the database alone signs nothing.
    private_key   BLOB    NOT NULL,
    created_at_ms INTEGER NOT NULL,
    -- No token signed with it is valid after this.
    expires_at_ms INTEGER NOT NULL
) STRICT;

-- What is refused although its signature and times are right, until it would have expired anyway.
CREATE TABLE revoked_tokens (
    kind          TEXT    NOT NULL CHECK (kind IN ('token', 'session', 'user')),
    -- The jti, sid or sub.
    subject       TEXT    NOT NULL,
    -- For users: tokens issued before this are refused; sessions and tokens are refused whole.
    not_before_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
-- For reading the live ones and purging the dead.
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at_ms);

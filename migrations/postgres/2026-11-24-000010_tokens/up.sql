-- Keys that access tokens are signed with. Owned by auth-svc; every verifier reads kid, public_key and expires_at_ms.
CREATE TABLE signing_keys (
    kid           TEXT   NOT NULL PRIMARY KEY,
    -- Raw Ed25519 public key, 32 bytes.
    public_key    BYTEA  NOT NULL,
    -- PKCS #8, sealed with the installation's key: the database alone signs nothing.
    private_key   BYTEA  NOT NULL,
    created_at_ms BIGINT NOT NULL,
    -- No token signed with it is valid after this.
    expires_at_ms BIGINT NOT NULL
);

-- What is refused although its signature and times are right, until it would have expired anyway.
CREATE TABLE revoked_tokens (
    kind          TEXT   NOT NULL CONSTRAINT revoked_tokens_kind_known CHECK (kind IN ('token', 'session', 'user')),
    -- The jti, sid or sub.
    subject       TEXT   NOT NULL,
    -- For users: tokens issued before this are refused; sessions and tokens are refused whole.
    not_before_ms BIGINT NOT NULL,
    revoked_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    PRIMARY KEY (kind, subject)
);
-- For reading the live ones and purging the dead.
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at_ms);

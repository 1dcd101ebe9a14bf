-- Passkeys (WebAuthn). Owned by auth-svc.
CREATE TABLE passkeys (
    id              TEXT    NOT NULL PRIMARY KEY,
    user_id         TEXT    NOT NULL,
    -- What the authenticator calls it; says nothing of the user.
    credential_id   BYTEA    NOT NULL CONSTRAINT passkeys_credential_id_unique UNIQUE,
    -- What the user calls it.
    name            TEXT    NOT NULL,
    -- JSON: public key, counter, what the authenticator can. Public: worth nothing to who reads it.
    credential      TEXT    NOT NULL,
    created_at_ms   BIGINT NOT NULL,
    last_used_at_ms BIGINT
);
-- For the list of a user's passkeys, in order of their making.
CREATE INDEX passkeys_of_user ON passkeys (user_id, id);

-- Challenges that wait for an authenticator's answer. Each is taken once.
CREATE TABLE passkey_ceremonies (
    -- SHA-256 of the ceremony's id.
    hash          BYTEA    NOT NULL PRIMARY KEY,
    purpose       TEXT    NOT NULL CONSTRAINT passkey_ceremonies_purpose_known CHECK (purpose IN ('register', 'sign_in', 'second_factor')),
    -- Whose passkey is asked for; unset where that is what the answer tells.
    user_id       TEXT,
    -- JSON: the challenge, and what the answer must be like.
    state         TEXT    NOT NULL,
    expires_at_ms BIGINT NOT NULL
);
CREATE INDEX passkey_ceremonies_by_expiry ON passkey_ceremonies (expires_at_ms);

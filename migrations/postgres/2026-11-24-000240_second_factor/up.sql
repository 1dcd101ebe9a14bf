-- Second factors. Owned by auth-svc.
CREATE TABLE mfa_totp (
    user_id         TEXT    NOT NULL PRIMARY KEY,
    -- Sealed: the database alone makes no codes.
    secret          BYTEA    NOT NULL,
    -- Unset while the user has not shown that their app makes the same codes.
    confirmed_at_ms BIGINT,
    -- The time step of the last accepted code: a code is good once.
    last_step       BIGINT NOT NULL
);

CREATE TABLE mfa_recovery_codes (
    user_id    TEXT    NOT NULL,
    -- SHA-256 of the code.
    hash       BYTEA    NOT NULL,
    used_at_ms BIGINT,
    PRIMARY KEY (user_id, hash)
);

-- A sign-in whose password was right and whose second factor is still asked for.
CREATE TABLE mfa_challenges (
    -- SHA-256 of the mfa_token.
    hash          BYTEA    NOT NULL PRIMARY KEY,
    user_id       TEXT    NOT NULL,
    -- Whether the refresh token goes into a cookie or the answer, as asked for at the password.
    refresh_in    TEXT    NOT NULL CONSTRAINT mfa_challenges_refresh_in_known CHECK (refresh_in IN ('cookie', 'body')),
    attempts      BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL
);
CREATE INDEX mfa_challenges_by_expiry ON mfa_challenges (expires_at_ms);

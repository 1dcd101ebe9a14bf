-- How users sign in. Owned by auth-svc; user-svc writes the first row of a user, with the user, in one transaction.
CREATE TABLE credentials (
    user_id         TEXT    NOT NULL PRIMARY KEY,
    -- What the user may type as their name. Not unique: copies of what user-svc holds unique, and late by a moment.
    username_key    TEXT COLLATE "C" NOT NULL,
    email_key       TEXT COLLATE "C" NOT NULL,
    -- bcrypt; none for those who sign in with a passkey alone.
    password_hash   TEXT,
    password_set_at_ms BIGINT NOT NULL,
    -- The user as user-svc last told it, JSON (shared::account::User), and the version that it told.
    account         TEXT    NOT NULL,
    account_version BIGINT NOT NULL,
    status          TEXT    NOT NULL CONSTRAINT credentials_status_known CHECK (status IN ('active', 'locked', 'deleted'))
);
CREATE INDEX credentials_by_username ON credentials (username_key);
CREATE INDEX credentials_by_email ON credentials (email_key);

-- One sign-in of one user on one device. Owned by auth-svc.
CREATE TABLE sessions (
    id              TEXT    NOT NULL PRIMARY KEY,
    user_id         TEXT    NOT NULL,
    ip              TEXT    NOT NULL,
    user_agent      TEXT,
    created_at_ms   BIGINT NOT NULL,
    last_used_at_ms BIGINT NOT NULL,
    -- When its newest refresh token runs out.
    expires_at_ms   BIGINT NOT NULL,
    ended_at_ms     BIGINT
);
-- A user's list, and ending all of them.
CREATE INDEX sessions_by_user ON sessions (user_id, id);
-- For deleting the dead.
CREATE INDEX sessions_by_expiry ON sessions (expires_at_ms);

-- The chain of refresh tokens of each session. Owned by auth-svc.
CREATE TABLE refresh_tokens (
    -- SHA-256 of the token.
    hash           BYTEA    NOT NULL PRIMARY KEY,
    session_id     TEXT    NOT NULL CONSTRAINT refresh_tokens_session_id_known REFERENCES sessions (id) ON DELETE CASCADE,
    -- Random; with the token itself and a key outside the database it gives the successor (session/refresh_token.rs).
    salt           BYTEA    NOT NULL,
    created_at_ms  BIGINT NOT NULL,
    expires_at_ms  BIGINT NOT NULL,
    replaced_at_ms BIGINT
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at_ms);

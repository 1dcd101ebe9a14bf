-- Accounts and profiles. Owned by user-svc.
CREATE TABLE users (
    id             TEXT    NOT NULL PRIMARY KEY,
    username       TEXT    NOT NULL,
    -- Folded (shared::account::key): what is compared and sorted by.
    username_key   TEXT NOT NULL CONSTRAINT users_username_key_unique UNIQUE,
    email          TEXT    NOT NULL,
    email_key      TEXT NOT NULL CONSTRAINT users_email_key_unique UNIQUE,
    email_verified INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    display_name   TEXT    NOT NULL,
    -- ' ' + folded username + ' ' + folded display name: each word begins after a blank.
    search_key     TEXT NOT NULL,
    bio            TEXT    NOT NULL,
    role           TEXT    NOT NULL CONSTRAINT users_role_known CHECK (role IN ('user', 'admin')),
    -- Name of the picture's file, its hash.
    avatar         TEXT,
    -- Grows by one with every change: ETag, and the order of events.
    version        INTEGER NOT NULL,
    created_at_ms  INTEGER NOT NULL,
    updated_at_ms  INTEGER NOT NULL,
    locked_at_ms   INTEGER,
    -- Gone for everybody; erased for good some time later.
    deleted_at_ms  INTEGER
) STRICT;

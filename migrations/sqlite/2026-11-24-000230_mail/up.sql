-- Mail that waits to be sent. Owned by auth-svc.
CREATE TABLE mails (
    id              TEXT    NOT NULL PRIMARY KEY,
    recipient       TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    body            TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    -- Also who sends it now: a process takes a mail by moving this on.
    next_attempt_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX mails_by_next_attempt ON mails (next_attempt_at_ms);

-- What a link in a mail is good for, once. Owned by auth-svc.
CREATE TABLE mailed_links (
    -- SHA-256 of the token in the link.
    hash          BLOB    NOT NULL PRIMARY KEY,
    purpose       TEXT    NOT NULL CONSTRAINT mailed_links_purpose_known CHECK (purpose IN ('reset password', 'verify email')),
    user_id       TEXT    NOT NULL,
    -- The address that it was sent to: it proves this one and no later one.
    email_key     TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX mailed_links_by_user ON mailed_links (user_id, purpose);
CREATE INDEX mailed_links_by_expiry ON mailed_links (expires_at_ms);

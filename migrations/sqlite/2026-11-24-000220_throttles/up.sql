-- Failed attempts, by what they have in common. Owned by auth-svc.
CREATE TABLE throttles (
    -- SHA-256 of the kind and what it counts: names that were tried are not kept.
    key             BLOB    NOT NULL PRIMARY KEY,
    failures        INTEGER NOT NULL,
    -- No further attempt before this.
    not_before_ms   INTEGER NOT NULL,
    -- Forgotten after this.
    expires_at_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX throttles_by_expiry ON throttles (expires_at_ms);

-- Failed attempts, by what they have in common. Owned by auth-svc.
CREATE TABLE throttles (
    -- SHA-256 of the kind and what it counts: names that were tried are not kept.
    key             BYTEA    NOT NULL PRIMARY KEY,
    failures        BIGINT NOT NULL,
    -- No further attempt before this.
    not_before_ms   BIGINT NOT NULL,
    -- Forgotten after this.
    expires_at_ms   BIGINT NOT NULL
);
CREATE INDEX throttles_by_expiry ON throttles (expires_at_ms);

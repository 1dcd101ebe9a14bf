-- What one service must tell another, written in the transaction that did it. Each service reads its own rows.
CREATE TABLE outbox (
    -- UUIDv7: the event's id, the same at every delivery.
    id            TEXT    NOT NULL,
    source        TEXT    NOT NULL,
    destination   TEXT    NOT NULL,
    -- Whom it is about: events of one user arrive in order.
    user_id       TEXT    NOT NULL,
    -- Order of writing; ids of one user sort by it too.
    version       BIGINT NOT NULL,
    body          TEXT    NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (id, destination)
);
CREATE INDEX outbox_by_route ON outbox (source, destination, user_id, version);

-- Which process delivers for a source to a destination: one at a time, so that order holds.
CREATE TABLE outbox_leases (
    route         TEXT    NOT NULL PRIMARY KEY,
    holder        TEXT    NOT NULL,
    expires_at_ms BIGINT NOT NULL
);

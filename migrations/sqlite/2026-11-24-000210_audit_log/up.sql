-- What happened to whose account, and from where. Owned by auth-svc; rows are only ever added, and deleted by age.
CREATE TABLE audit_log (
    -- UUIDv7: in order of time.
    id            TEXT    NOT NULL PRIMARY KEY,
    -- Whom it is about; none for attempts on names that nobody has.
    user_id       TEXT,
    -- Who did it, where that is somebody else: an administrator.
    actor_id      TEXT,
    event         TEXT    NOT NULL,
    ip            TEXT    NOT NULL,
    user_agent    TEXT,
    created_at_ms INTEGER NOT NULL
) STRICT;
-- A user's own history.
CREATE INDEX audit_log_by_user ON audit_log (user_id, id);

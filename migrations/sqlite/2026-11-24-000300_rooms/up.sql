-- Rooms, who is in them, and their logs. Owned by chat-svc.
CREATE TABLE rooms (
    id            TEXT   NOT NULL PRIMARY KEY,
    kind          TEXT   NOT NULL CHECK (kind IN ('public', 'private', 'dm')),
    -- Direct rooms have no name: each member sees the other's.
    name          TEXT,
    -- The name folded for search and order.
    name_key      TEXT,
    topic         TEXT   NOT NULL,
    created_by    TEXT   NOT NULL,
    -- The seq of the newest event. Whoever appends holds this row's lock until the commit: no holes, in order.
    last_seq      INTEGER NOT NULL,
    member_count  INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    CHECK ((kind = 'dm') = (name IS NULL))
) STRICT, WITHOUT ROWID;
-- The directory of public rooms: by name, and by the start of a name.
CREATE INDEX rooms_by_name ON rooms (kind, name_key, id);

CREATE TABLE members (
    room_id        TEXT   NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    user_id        TEXT   NOT NULL,
    role           TEXT   NOT NULL CHECK (role IN ('owner', 'moderator', 'member')),
    last_read_seq  INTEGER NOT NULL,
    muted_until_ms INTEGER,
    joined_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
-- A user's rooms.
CREATE INDEX members_by_user ON members (user_id, room_id);

CREATE TABLE bans (
    room_id       TEXT   NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    user_id       TEXT   NOT NULL,
    banned_by     TEXT   NOT NULL,
    reason        TEXT,
    -- Empty: for good.
    until_ms      INTEGER,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    -- Full-text search needs a number for each row that stays.
    row_id        INTEGER PRIMARY KEY,
    room_id       TEXT   NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    seq           INTEGER NOT NULL,
    sender_id     TEXT   NOT NULL,
    -- The sender's own name for the message: sent twice, stored once.
    client_id     TEXT   NOT NULL,
    -- Empty when deleted.
    body          TEXT,
    reply_to      INTEGER,
    created_at_ms INTEGER NOT NULL,
    edited_at_ms  INTEGER,
    deleted_at_ms INTEGER,
    UNIQUE (room_id, seq),
    UNIQUE (room_id, sender_id, client_id)
) STRICT;

-- Everything else that takes a seq. What an edit says stands in the message itself: a deleted text is gone everywhere.
CREATE TABLE room_events (
    room_id       TEXT   NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    seq           INTEGER NOT NULL,
    kind          TEXT   NOT NULL,
    actor_id      TEXT   NOT NULL,
    -- The message that it changes.
    ref_seq       INTEGER,
    -- The emoji, or the user that it is about.
    subject       TEXT,
    -- A role.
    detail        TEXT,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (room_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE reactions (
    room_id       TEXT   NOT NULL,
    seq           INTEGER NOT NULL,
    emoji         TEXT   NOT NULL,
    user_id       TEXT   NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (room_id, seq, emoji, user_id),
    FOREIGN KEY (room_id, seq) REFERENCES messages (room_id, seq) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What chat-svc knows of users: a copy for showing names while user-svc is away. user-svc owns the truth.
CREATE TABLE profiles (
    user_id       TEXT   NOT NULL PRIMARY KEY,
    username      TEXT   NOT NULL,
    username_key  TEXT   NOT NULL,
    display_name  TEXT   NOT NULL,
    avatar_url    TEXT,
    -- As of when: an older telling does not overwrite a newer one.
    known_at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Who `@name` means.
CREATE INDEX profiles_by_username ON profiles (username_key);

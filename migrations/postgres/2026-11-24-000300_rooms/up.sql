-- Rooms, who is in them, and their logs. Owned by chat-svc.
CREATE TABLE rooms (
    id            TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    kind          TEXT   NOT NULL CONSTRAINT rooms_kind_known CHECK (kind IN ('public', 'private', 'dm')),
    -- Direct rooms have no name: each member sees the other's.
    name          TEXT,
    -- The name folded for search and order.
    name_key      TEXT   COLLATE "C",
    topic         TEXT   NOT NULL,
    created_by    TEXT   NOT NULL,
    -- The seq of the newest event. Whoever appends holds this row's lock until the commit: no holes, in order.
    last_seq      BIGINT NOT NULL,
    member_count  BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    CONSTRAINT rooms_name_or_dm CHECK ((kind = 'dm') = (name IS NULL))
) WITH (fillfactor = 50); -- every message updates its room's row: room for HOT updates
-- The directory of public rooms: by name, and by the start of a name.
CREATE INDEX rooms_by_name ON rooms (kind, name_key, id);

CREATE TABLE members (
    room_id        TEXT   COLLATE "C" NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    user_id        TEXT   COLLATE "C" NOT NULL,
    role           TEXT   NOT NULL CONSTRAINT members_role_known CHECK (role IN ('owner', 'moderator', 'member')),
    last_read_seq  BIGINT NOT NULL,
    muted_until_ms BIGINT,
    joined_at_ms   BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id)
);
-- A user's rooms.
CREATE INDEX members_by_user ON members (user_id, room_id);

CREATE TABLE bans (
    room_id       TEXT   COLLATE "C" NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    user_id       TEXT   COLLATE "C" NOT NULL,
    banned_by     TEXT   NOT NULL,
    reason        TEXT,
    -- Empty: for good.
    until_ms      BIGINT,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id)
);

CREATE TABLE messages (
    room_id       TEXT   COLLATE "C" NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    seq           BIGINT NOT NULL,
    sender_id     TEXT   COLLATE "C" NOT NULL,
    -- The sender's own name for the message: sent twice, stored once.
    client_id     TEXT   COLLATE "C" NOT NULL,
    -- Empty when deleted.
    body          TEXT,
    reply_to      BIGINT,
    created_at_ms BIGINT NOT NULL,
    edited_at_ms  BIGINT,
    deleted_at_ms BIGINT,
    PRIMARY KEY (room_id, seq),
    CONSTRAINT messages_client_id_once UNIQUE (room_id, sender_id, client_id)
);

-- Everything else that takes a seq. What an edit says stands in the message itself: a deleted text is gone everywhere.
CREATE TABLE room_events (
    room_id       TEXT   COLLATE "C" NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    seq           BIGINT NOT NULL,
    kind          TEXT   NOT NULL,
    actor_id      TEXT   NOT NULL,
    -- The message that it changes.
    ref_seq       BIGINT,
    -- The emoji, or the user that it is about.
    subject       TEXT,
    -- A role.
    detail        TEXT,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (room_id, seq)
);

CREATE TABLE reactions (
    room_id       TEXT   COLLATE "C" NOT NULL,
    seq           BIGINT NOT NULL,
    emoji         TEXT   COLLATE "C" NOT NULL,
    user_id       TEXT   COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (room_id, seq, emoji, user_id),
    FOREIGN KEY (room_id, seq) REFERENCES messages (room_id, seq) ON DELETE CASCADE
);

-- What chat-svc knows of users: a copy for showing names while user-svc is away. user-svc owns the truth.
CREATE TABLE profiles (
    user_id       TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    username      TEXT   NOT NULL,
    username_key  TEXT   COLLATE "C" NOT NULL,
    display_name  TEXT   NOT NULL,
    avatar_url    TEXT,
    -- As of when: an older telling does not overwrite a newer one.
    known_at_ms   BIGINT NOT NULL
);
-- Who `@name` means.
CREATE INDEX profiles_by_username ON profiles (username_key);

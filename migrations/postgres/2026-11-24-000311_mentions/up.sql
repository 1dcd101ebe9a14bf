-- Whom a message mentions, of those who were in the room: what is counted as calling for somebody. Owned by chat-svc.
CREATE TABLE mentions (
    user_id TEXT   COLLATE "C" NOT NULL,
    room_id TEXT   COLLATE "C" NOT NULL,
    seq     BIGINT NOT NULL,
    -- A user's mentions in a room after the last seq that was read.
    PRIMARY KEY (user_id, room_id, seq),
    FOREIGN KEY (room_id, seq) REFERENCES messages (room_id, seq) ON DELETE CASCADE
);
-- Those of one message, when it is changed or deleted.
CREATE INDEX mentions_by_message ON mentions (room_id, seq);

-- Files in messages. Owned by chat-svc; the files themselves are in a directory or in an S3-compatible store.
-- What a message shows of its files, as JSON: reading a page of messages asks no second table.
ALTER TABLE messages ADD COLUMN attachments TEXT;

CREATE TABLE attachments (
    id            TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    -- No foreign key: the row outlives its room until the file is gone.
    room_id       TEXT   COLLATE "C" NOT NULL,
    uploader_id   TEXT   COLLATE "C" NOT NULL,
    -- The message that it is in; empty until it was sent.
    seq           BIGINT,
    name          TEXT   NOT NULL,
    content_type  TEXT   NOT NULL,
    size          BIGINT NOT NULL,
    width         BIGINT,
    height        BIGINT,
    created_at_ms BIGINT NOT NULL,
    -- Nobody gets it any more; the file is to be deleted, and the row after it.
    removed_at_ms BIGINT
);
-- Those of a message, or of a room, when it is deleted.
CREATE INDEX attachments_by_message ON attachments (room_id, seq);
-- How much somebody keeps.
CREATE INDEX attachments_by_uploader ON attachments (uploader_id);
-- What is to be deleted, and what was uploaded and never sent.
CREATE INDEX attachments_removed ON attachments (removed_at_ms) WHERE removed_at_ms IS NOT NULL;
CREATE INDEX attachments_unsent ON attachments (created_at_ms) WHERE seq IS NULL;

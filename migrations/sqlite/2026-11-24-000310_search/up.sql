-- Full-text search over messages. Owned by chat-svc.
-- The index holds no copy of the texts, and no lengths: results are in order of time, not of rank.
CREATE VIRTUAL TABLE messages_fts USING fts5 (
    body,
    content = 'messages',
    content_rowid = 'row_id',
    columnsize = 0,
    tokenize = 'unicode61 remove_diacritics 0'
);
-- A deleted text is gone from the index at once, not at some later merge.
INSERT INTO messages_fts (messages_fts, rank) VALUES ('secure-delete', 1);
INSERT INTO messages_fts (rowid, body) SELECT row_id, body FROM messages WHERE body IS NOT NULL;

CREATE TRIGGER messages_fts_insert AFTER INSERT ON messages WHEN new.body IS NOT NULL BEGIN
    INSERT INTO messages_fts (rowid, body) VALUES (new.row_id, new.body);
END;
-- To take a row out, the index must be told what it said.
CREATE TRIGGER messages_fts_update AFTER UPDATE OF body ON messages WHEN old.body IS NOT NULL BEGIN
    INSERT INTO messages_fts (messages_fts, rowid, body) VALUES ('delete', old.row_id, old.body);
    INSERT INTO messages_fts (rowid, body) SELECT new.row_id, new.body WHERE new.body IS NOT NULL;
END;
CREATE TRIGGER messages_fts_delete AFTER DELETE ON messages WHEN old.body IS NOT NULL BEGIN
    INSERT INTO messages_fts (messages_fts, rowid, body) VALUES ('delete', old.row_id, old.body);
END;

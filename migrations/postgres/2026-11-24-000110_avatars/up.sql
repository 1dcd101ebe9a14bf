-- Pictures, as they are served. Owned by user-svc.
CREATE TABLE avatars (
    user_id TEXT    NOT NULL PRIMARY KEY CONSTRAINT avatars_user_id_known REFERENCES users (id) ON DELETE CASCADE,
    -- Named by its hash: another picture is another address.
    file    TEXT    NOT NULL,
    jpeg    BYTEA    NOT NULL
);

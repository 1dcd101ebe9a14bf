DROP INDEX messages_by_word;
ALTER TABLE messages DROP COLUMN search;
-- Punctuation becomes spaces: PostgreSQL would take `example.org/path` for one word, SQLite takes it for three.
ALTER TABLE messages ADD COLUMN search TSVECTOR GENERATED ALWAYS AS (
    to_tsvector('simple', translate(body, '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)))
) STORED;
-- Which messages hold these words.
CREATE INDEX messages_by_word ON messages USING gin (search);

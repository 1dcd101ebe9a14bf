ALTER TABLE messages DROP COLUMN search;

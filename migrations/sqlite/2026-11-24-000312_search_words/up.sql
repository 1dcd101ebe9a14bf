-- Nothing to do here: SQLite takes the words of a message apart by itself.
SELECT 1;

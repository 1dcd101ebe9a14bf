-- Every change of the blacklist gets the next number. The one row of revocation_order is held from the change until its
-- commit, so numbers become visible in their order: who has seen number n has missed none below it, and reads only what
-- is above.
CREATE TABLE revocation_order (
    one INTEGER NOT NULL PRIMARY KEY CONSTRAINT revocation_order_one_row CHECK (one = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO revocation_order (one, seq) VALUES (1, 0);

ALTER TABLE revoked_tokens ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
-- For reading what changed.
CREATE INDEX revoked_tokens_by_seq ON revoked_tokens (seq);

CREATE TRIGGER revoked_tokens_number_new AFTER INSERT ON revoked_tokens
BEGIN
    UPDATE revocation_order SET seq = seq + 1;
    UPDATE revoked_tokens SET seq = (SELECT seq FROM revocation_order) WHERE kind = NEW.kind AND subject = NEW.subject;
END;
CREATE TRIGGER revoked_tokens_number_changed AFTER UPDATE OF not_before_ms, revoked_at_ms, expires_at_ms ON revoked_tokens
BEGIN
    UPDATE revocation_order SET seq = seq + 1;
    UPDATE revoked_tokens SET seq = (SELECT seq FROM revocation_order) WHERE kind = NEW.kind AND subject = NEW.subject;
END;

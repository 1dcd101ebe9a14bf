-- Every change of the blacklist gets the next number. The one row of revocation_order is held from the change until its
-- commit, so numbers become visible in their order: who has seen number n has missed none below it, and reads only what
-- is above.
CREATE TABLE revocation_order (
    one BIGINT NOT NULL PRIMARY KEY CONSTRAINT revocation_order_one_row CHECK (one = 1),
    seq BIGINT NOT NULL
);
INSERT INTO revocation_order (one, seq) VALUES (1, 0);

ALTER TABLE revoked_tokens ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
-- For reading what changed.
CREATE INDEX revoked_tokens_by_seq ON revoked_tokens (seq);

CREATE FUNCTION number_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE revocation_order SET seq = seq + 1 RETURNING seq INTO NEW.seq;
    RETURN NEW;
END
$$;
CREATE TRIGGER revoked_tokens_number BEFORE INSERT OR UPDATE ON revoked_tokens
    FOR EACH ROW EXECUTE FUNCTION number_revocation();

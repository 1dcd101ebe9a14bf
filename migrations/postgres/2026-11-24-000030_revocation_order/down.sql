DROP TRIGGER revoked_tokens_number ON revoked_tokens;
DROP FUNCTION number_revocation;
DROP INDEX revoked_tokens_by_seq;
ALTER TABLE revoked_tokens DROP COLUMN seq;
DROP TABLE revocation_order;

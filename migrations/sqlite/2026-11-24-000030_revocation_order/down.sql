DROP TRIGGER revoked_tokens_number_new;
DROP TRIGGER revoked_tokens_number_changed;
DROP INDEX revoked_tokens_by_seq;
ALTER TABLE revoked_tokens DROP COLUMN seq;
DROP TABLE revocation_order;

-- The audit log. Each entry has a MAC that depends on the previous entry. Triggers reject the deletion of an entry, and
-- the change of an entry with a MAC.

CREATE TABLE audit_log (
  id {uuid} NOT NULL PRIMARY KEY,
  seq bigint NOT NULL CHECK (seq > 0),
  at {time} NOT NULL,
  actor text NOT NULL, actor_key_id {uuid}, address text, request_id text,
  rulebook_id {uuid} REFERENCES rulebooks (id),
  action text NOT NULL, resource text NOT NULL, code text NOT NULL, revision bigint,
  before {json}, after {json},
  -- NULL if the program did not write the entry
  mac {bytes}
);
CREATE INDEX audit_log_at ON audit_log (at, id);
CREATE UNIQUE INDEX audit_log_seq ON audit_log (seq);

{postgres}CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
{postgres}BEGIN
{postgres}  RAISE EXCEPTION 'audit_log is append-only';
{postgres}END $$;
{postgres}CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
{postgres}  FOR EACH ROW WHEN (OLD.mac IS NOT NULL) EXECUTE FUNCTION audit_log_is_append_only();
{postgres}CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
{postgres}  FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
{postgres}CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
{postgres}  FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();

{sqlite}CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log WHEN OLD.mac IS NOT NULL
{sqlite}BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
{sqlite}CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
{sqlite}BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
{sqlite}-- INSERT OR REPLACE deletes a row without firing the trigger above.
{sqlite}CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log
{sqlite}WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM audit_log WHERE seq = NEW.seq)
{sqlite}BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;

-- A single row with the number and MAC of the last entry. The row has its own MAC, which reveals a truncated log.
CREATE TABLE audit_head (
  one bigint NOT NULL PRIMARY KEY CHECK (one = 1),
  seq bigint NOT NULL CHECK (seq >= 0),
  mac {bytes} NOT NULL,
  -- The first entry that was written while the MAC of the head did not verify. Later entries do not overwrite this sign
  -- of tampering.
  broken_since bigint,
  head_mac {bytes} NOT NULL
);

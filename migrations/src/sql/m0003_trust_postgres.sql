ALTER TABLE api_keys DROP CONSTRAINT api_keys_role_check;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_role_check CHECK (role IN ('viewer', 'editor', 'publisher', 'admin'));

-- Entries of before get their numbers here and never a MAC: no released program wrote any, and a chain begins on an empty log.
ALTER TABLE audit_log ADD COLUMN seq bigint CHECK (seq > 0), ADD COLUMN mac bytea;
UPDATE audit_log SET seq = numbered.seq
  FROM (SELECT id, row_number() OVER (ORDER BY at, id) AS seq FROM audit_log) AS numbered
  WHERE numbered.id = audit_log.id;
ALTER TABLE audit_log ALTER COLUMN seq SET NOT NULL;
CREATE UNIQUE INDEX audit_log_seq ON audit_log (seq);

CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_log is append-only';
END $$;
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
  FOR EACH ROW WHEN (OLD.mac IS NOT NULL) EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
  FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();

-- SQLite cannot alter a CHECK: the table is made anew. Nothing refers to it.
CREATE TABLE api_keys_new (
  id blob NOT NULL PRIMARY KEY,
  name text NOT NULL, prefix text NOT NULL, hash blob NOT NULL UNIQUE,
  role text NOT NULL CHECK (role IN ('viewer', 'editor', 'publisher', 'admin')),
  -- none is every rulebook
  rulebook_id blob REFERENCES rulebooks (id),
  created_at text NOT NULL, expires_at text, last_used_at text, revoked_at text
);
INSERT INTO api_keys_new SELECT id, name, prefix, hash, role, rulebook_id, created_at, expires_at, last_used_at, revoked_at
  FROM api_keys;
DROP TABLE api_keys;
ALTER TABLE api_keys_new RENAME TO api_keys;

-- Entries of before get their numbers here and never a MAC: no released program wrote any, and a chain begins on an empty log.
CREATE TABLE audit_log_new (
  id blob NOT NULL PRIMARY KEY,
  seq bigint NOT NULL CHECK (seq > 0),
  at text NOT NULL,
  actor text NOT NULL, actor_key_id blob, address text, request_id text,
  rulebook_id blob REFERENCES rulebooks (id),
  action text NOT NULL, resource text NOT NULL, code text NOT NULL, revision bigint,
  before text, after text,
  mac blob
);
INSERT INTO audit_log_new
  SELECT id, row_number() OVER (ORDER BY at, id), at, actor, actor_key_id, address, request_id, rulebook_id, action, resource,
    code, revision, before, after, NULL
  FROM audit_log;
DROP TABLE audit_log;
ALTER TABLE audit_log_new RENAME TO audit_log;
CREATE INDEX audit_log_at ON audit_log (at, id);
CREATE UNIQUE INDEX audit_log_seq ON audit_log (seq);

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log WHEN OLD.mac IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
-- INSERT OR REPLACE deletes without asking the trigger above.
CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM audit_log WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;

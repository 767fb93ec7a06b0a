DROP TABLE guard_rails;
DROP TABLE idempotency_keys;
DROP TABLE audit_head;

-- The tables as they were before; their triggers and indexes go with them.
CREATE TABLE audit_log_old (
  id {uuid} NOT NULL PRIMARY KEY,
  at {time} NOT NULL,
  actor text NOT NULL, actor_key_id {uuid}, address text, request_id text,
  rulebook_id {uuid} REFERENCES rulebooks (id),
  action text NOT NULL, resource text NOT NULL, code text NOT NULL, revision bigint,
  before {json}, after {json}
);
INSERT INTO audit_log_old
  SELECT id, at, actor, actor_key_id, address, request_id, rulebook_id, action, resource, code, revision, before, after
  FROM audit_log;
DROP TABLE audit_log;
ALTER TABLE audit_log_old RENAME TO audit_log;
CREATE INDEX audit_log_at ON audit_log (at, id);
{postgres}DROP FUNCTION audit_log_is_append_only();

-- Who published may still edit.
{postgres}UPDATE api_keys SET role = 'editor' WHERE role = 'publisher';
{postgres}ALTER TABLE api_keys DROP CONSTRAINT api_keys_role_check;
{postgres}ALTER TABLE api_keys ADD CONSTRAINT api_keys_role_check CHECK (role IN ('viewer', 'editor', 'admin'));
{sqlite}CREATE TABLE api_keys_old (
{sqlite}  id blob NOT NULL PRIMARY KEY,
{sqlite}  name text NOT NULL, prefix text NOT NULL, hash blob NOT NULL UNIQUE,
{sqlite}  role text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
{sqlite}  rulebook_id blob REFERENCES rulebooks (id),
{sqlite}  created_at text NOT NULL, expires_at text, last_used_at text, revoked_at text
{sqlite});
{sqlite}INSERT INTO api_keys_old SELECT id, name, prefix, hash, CASE role WHEN 'publisher' THEN 'editor' ELSE role END, rulebook_id,
{sqlite}    created_at, expires_at, last_used_at, revoked_at
{sqlite}  FROM api_keys;
{sqlite}DROP TABLE api_keys;
{sqlite}ALTER TABLE api_keys_old RENAME TO api_keys;

-- Links that sign somebody in once, without a key. Only the hash of the token is stored.
CREATE TABLE console_login_links (
  token_hash {bytes} NOT NULL PRIMARY KEY,
  key_id {uuid} NOT NULL REFERENCES api_keys (id),
  expires_at {time} NOT NULL
);

-- The roles `dispatcher` and `owner`.
{postgres}ALTER TABLE api_keys DROP CONSTRAINT api_keys_role_check;
{postgres}ALTER TABLE api_keys ADD CONSTRAINT api_keys_role_check CHECK (role IN ('viewer', 'dispatcher', 'editor', 'publisher', 'admin', 'owner'));
-- SQLite cannot alter a CHECK: the table is made anew. Who is signed in signs in again.
{sqlite}DELETE FROM console_sessions;
{sqlite}CREATE TABLE api_keys_new (
{sqlite}  id blob NOT NULL PRIMARY KEY,
{sqlite}  name text NOT NULL, prefix text NOT NULL, hash blob NOT NULL UNIQUE,
{sqlite}  role text NOT NULL CHECK (role IN ('viewer', 'dispatcher', 'editor', 'publisher', 'admin', 'owner')),
{sqlite}  -- none is every rulebook
{sqlite}  rulebook_id blob REFERENCES rulebooks (id),
{sqlite}  created_at text NOT NULL, expires_at text, last_used_at text, revoked_at text,
{sqlite}  owner text, made_by blob
{sqlite});
{sqlite}INSERT INTO api_keys_new SELECT id, name, prefix, hash, role, rulebook_id, created_at, expires_at, last_used_at, revoked_at, owner, made_by
{sqlite}  FROM api_keys;
{sqlite}DROP TABLE api_keys;
{sqlite}ALTER TABLE api_keys_new RENAME TO api_keys;

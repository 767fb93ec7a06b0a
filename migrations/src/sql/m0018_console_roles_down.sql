DROP TABLE console_login_links;

-- Who read may still read.
{postgres}UPDATE api_keys SET role = 'viewer' WHERE role IN ('dispatcher', 'owner');
{postgres}ALTER TABLE api_keys DROP CONSTRAINT api_keys_role_check;
{postgres}ALTER TABLE api_keys ADD CONSTRAINT api_keys_role_check CHECK (role IN ('viewer', 'editor', 'publisher', 'admin'));
{sqlite}DELETE FROM console_sessions;
{sqlite}CREATE TABLE api_keys_old (
{sqlite}  id blob NOT NULL PRIMARY KEY,
{sqlite}  name text NOT NULL, prefix text NOT NULL, hash blob NOT NULL UNIQUE,
{sqlite}  role text NOT NULL CHECK (role IN ('viewer', 'editor', 'publisher', 'admin')),
{sqlite}  rulebook_id blob REFERENCES rulebooks (id),
{sqlite}  created_at text NOT NULL, expires_at text, last_used_at text, revoked_at text,
{sqlite}  owner text, made_by blob
{sqlite});
{sqlite}INSERT INTO api_keys_old SELECT id, name, prefix, hash, CASE WHEN role IN ('dispatcher', 'owner') THEN 'viewer' ELSE role END,
{sqlite}    rulebook_id, created_at, expires_at, last_used_at, revoked_at, owner, made_by
{sqlite}  FROM api_keys;
{sqlite}DROP TABLE api_keys;
{sqlite}ALTER TABLE api_keys_old RENAME TO api_keys;

-- API keys, console sessions, idempotency keys and secrets.

CREATE TABLE api_keys (
  id {uuid} NOT NULL PRIMARY KEY,
  name text NOT NULL, prefix text NOT NULL, hash {bytes} NOT NULL UNIQUE,
  role text NOT NULL CHECK (role IN ('viewer', 'dispatcher', 'editor', 'publisher', 'admin', 'owner')),
  -- NULL means every rulebook
  rulebook_id {uuid} REFERENCES rulebooks (id),
  -- The owner of this key, and the key that created this key. Because of these columns, nobody can approve their own
  -- change with a second key.
  owner text, made_by {uuid},
  created_at {time} NOT NULL, expires_at {time}, last_used_at {time}, revoked_at {time}
);

-- Sessions of the console. A session has the permissions of its API key, and ends when the key ends. Only the hash of
-- the session's token is stored.
CREATE TABLE console_sessions (
  id {uuid} NOT NULL PRIMARY KEY,
  token_hash {bytes} NOT NULL UNIQUE,
  key_id {uuid} NOT NULL REFERENCES api_keys (id),
  -- the language that the person chose; NULL means the browser's language
  language text CHECK (language IN ('en', 'fr')),
  created_at {time} NOT NULL, last_used_at {time} NOT NULL, expires_at {time} NOT NULL
);
CREATE INDEX console_sessions_expires ON console_sessions (expires_at);

-- One-time login links. A person who opens a link needs no API key. Only the hash of the token is stored.
CREATE TABLE console_login_links (
  token_hash {bytes} NOT NULL PRIMARY KEY,
  key_id {uuid} NOT NULL REFERENCES api_keys (id),
  expires_at {time} NOT NULL
);

-- Requests with an idempotency key, and their responses. A repeat of such a request gets the stored response.
CREATE TABLE idempotency_keys (
  id {uuid} NOT NULL PRIMARY KEY,
  -- NULL if the request belongs to no rulebook
  rulebook_id {uuid} REFERENCES rulebooks (id),
  key_id {uuid} NOT NULL,
  idempotency_key text NOT NULL,
  request_hash {bytes} NOT NULL,
  -- The status and the response. The response is encrypted, because it may contain a secret that is shown only once.
  status bigint, answer {bytes},
  created_at {time} NOT NULL,
  UNIQUE (key_id, idempotency_key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

CREATE TABLE secrets (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), id {uuid} NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('webhook', 'twilio_account_sid', 'twilio_auth_token', 'twilio_from', 'twilio_messaging_service_sid', 'vapi_api_key')),
  -- encrypted with RINGBOOK_SECRET_KEY
  sealed {bytes} NOT NULL,
  created_at {time} NOT NULL, retired_at {time},
  PRIMARY KEY (rulebook_id, id)
);

-- Who is signed in to the console. A session acts as its API key and ends with it. Only the hash of its token is stored.
CREATE TABLE console_sessions (
  id {uuid} NOT NULL PRIMARY KEY,
  token_hash {bytes} NOT NULL UNIQUE,
  key_id {uuid} NOT NULL REFERENCES api_keys (id),
  -- what the person chose; none is what the browser asks for
  language text CHECK (language IN ('en', 'fr')),
  created_at {time} NOT NULL, last_used_at {time} NOT NULL, expires_at {time} NOT NULL
);
CREATE INDEX console_sessions_expires ON console_sessions (expires_at);

-- What makes a tool call the same again: its call, chat or session, its id, its name and its arguments, hashed.
ALTER TABLE tool_calls ADD COLUMN dedupe_key text;
DROP INDEX tool_calls_key;
CREATE UNIQUE INDEX tool_calls_same ON tool_calls (rulebook_id, dedupe_key);

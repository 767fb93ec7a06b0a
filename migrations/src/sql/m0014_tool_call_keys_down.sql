DROP INDEX tool_calls_same;
DELETE FROM tool_calls WHERE EXISTS (SELECT 1 FROM tool_calls other WHERE other.rulebook_id = tool_calls.rulebook_id
  AND coalesce(other.call_id, '') = coalesce(tool_calls.call_id, '') AND other.tool_call_id = tool_calls.tool_call_id
  AND other.id < tool_calls.id);
CREATE UNIQUE INDEX tool_calls_key ON tool_calls (rulebook_id, coalesce(call_id, ''), tool_call_id);
ALTER TABLE tool_calls DROP COLUMN dedupe_key;

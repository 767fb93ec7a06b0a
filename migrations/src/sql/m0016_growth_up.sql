-- What is asked of a large database without reading all of it: lists over all rulebooks (newest first, by id), figures by time,
-- and what belongs to a call. Ids and times rise, so that only the last two grow elsewhere than at their end.
CREATE INDEX webhook_events_id ON webhook_events (id, rulebook_id);
CREATE INDEX decisions_id ON decisions (id, rulebook_id);
CREATE INDEX leads_id ON leads (id, rulebook_id);
CREATE INDEX decisions_created ON decisions (created_at, rulebook_id);
CREATE INDEX leads_created ON leads (created_at, rulebook_id);
CREATE INDEX tool_calls_call ON tool_calls (call_id, rulebook_id) WHERE call_id IS NOT NULL;
CREATE INDEX sms_messages_call ON sms_messages (call_id, rulebook_id) WHERE call_id IS NOT NULL;

DROP TABLE tool_calls;
DROP TABLE call_transcripts;
DROP TABLE calls;
DROP TABLE webhook_events;

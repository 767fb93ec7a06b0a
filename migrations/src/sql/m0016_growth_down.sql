DROP INDEX sms_messages_call;
DROP INDEX tool_calls_call;
DROP INDEX leads_created;
DROP INDEX decisions_created;
DROP INDEX leads_id;
DROP INDEX decisions_id;
DROP INDEX webhook_events_id;

ALTER TABLE notices DROP COLUMN told_at;
ALTER TABLE notices DROP COLUMN comment;
ALTER TABLE notices DROP COLUMN resolved_by;
DROP TABLE inbound_sms_messages;
DROP TABLE sms_suppressions;
DROP TABLE sms_status_callbacks;
DROP INDEX sms_messages_id;
ALTER TABLE sms_messages DROP COLUMN resent_at;
ALTER TABLE sms_messages DROP COLUMN series_from;

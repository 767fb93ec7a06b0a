DROP TABLE outbox_place;
DROP TABLE sms_days;
DROP TABLE inbound_sms_messages;
DROP TABLE sms_suppressions;
DROP TABLE sms_status_callbacks;
DROP TABLE sms_attempts;
DROP TABLE sms_messages;

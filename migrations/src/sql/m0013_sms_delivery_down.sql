ALTER TABLE rulebooks DROP COLUMN sms_delivery_version;
ALTER TABLE rulebooks DROP COLUMN sms_delivery;

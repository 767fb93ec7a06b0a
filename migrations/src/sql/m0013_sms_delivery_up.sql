-- Whether a rulebook's SMS messages go to Twilio. The database says it, never an instance's settings: an instance that
-- lacks the account must not record as simulated what another one would send.
ALTER TABLE rulebooks ADD COLUMN sms_delivery text NOT NULL DEFAULT 'twilio'
  CHECK (sms_delivery IN ('twilio', 'simulated', 'simulated_until_account'));
ALTER TABLE rulebooks ADD COLUMN sms_delivery_version bigint NOT NULL DEFAULT 1;
-- A database that has never sent through an account was a trial so far.
UPDATE rulebooks SET sms_delivery = 'simulated_until_account' WHERE code = 'default'
  AND NOT EXISTS (SELECT 1 FROM sms_messages s WHERE s.rulebook_id = rulebooks.id AND s.provider_id IS NOT NULL);

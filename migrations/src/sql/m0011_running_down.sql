ALTER TABLE webhook_events DROP COLUMN set_aside;
ALTER TABLE webhook_events DROP COLUMN origin;
-- Kept raw all the same.
UPDATE webhook_events SET state = 'unreadable' WHERE state = 'poisoned';
{sqlite}PRAGMA writable_schema = ON;
{sqlite}UPDATE sqlite_schema SET sql = replace(sql, '''unreadable'', ''poisoned'')', '''unreadable'')')
{sqlite}  WHERE type = 'table' AND name = 'webhook_events';
{sqlite}PRAGMA writable_schema = RESET;
{postgres}ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_state_check;
{postgres}ALTER TABLE webhook_events ADD CONSTRAINT webhook_events_state_check CHECK (state IN ('recorded', 'amendment', 'unreadable'));
DROP INDEX tool_calls_event;
DROP INDEX decisions_event;
DROP TABLE purges;
DROP TABLE retentions;
DROP TABLE reconcile_cursors;
DROP TABLE leases;

ALTER TABLE webhook_events DROP COLUMN drained_at;

-- When a message came out of the spool, where it waited for the database: what it was answered was decided without.
ALTER TABLE webhook_events ADD COLUMN drained_at {time};

-- What only PostgreSQL has: containment indexes, and a cheaper compression for raw bodies.
CREATE INDEX calls_analysis ON calls USING gin (analysis jsonb_path_ops);
ALTER TABLE webhook_events ALTER COLUMN body SET COMPRESSION lz4;

-- What only PostgreSQL has: containment indexes, and a cheaper compression for raw bodies.
CREATE INDEX calls_analysis ON calls USING gin (analysis jsonb_path_ops);
-- A server that was built without lz4 keeps its usual compression.
DO $$ BEGIN
  ALTER TABLE webhook_events ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
  RAISE NOTICE 'this server was built without lz4: bodies are compressed with pglz';
END $$;

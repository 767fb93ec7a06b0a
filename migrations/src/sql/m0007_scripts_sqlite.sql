-- A fourth kind of script: a library that others import. A CHECK cannot be altered here; nothing refers to this table.
CREATE TABLE scripts_after (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  hook text NOT NULL CHECK (hook IN ('price', 'priority', 'tool', 'library')), rank bigint NOT NULL, source text NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
INSERT INTO scripts_after (rulebook_id, code, since_revision, until_revision, hook, rank, source)
  SELECT rulebook_id, code, since_revision, until_revision, hook, rank, source FROM scripts;
DROP TABLE scripts;
ALTER TABLE scripts_after RENAME TO scripts;
CREATE UNIQUE INDEX scripts_now ON scripts (rulebook_id, code) WHERE until_revision IS NULL;

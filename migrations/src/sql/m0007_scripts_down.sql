DROP TABLE script_quarantines;
-- Libraries are lost; a script that imports one must be changed before the older program takes its rulebook.
CREATE TABLE scripts_before (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  hook text NOT NULL CONSTRAINT scripts_hook_check CHECK (hook IN ('price', 'priority', 'tool')), rank bigint NOT NULL, source text NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
INSERT INTO scripts_before (rulebook_id, code, since_revision, until_revision, hook, rank, source)
  SELECT rulebook_id, code, since_revision, until_revision, hook, rank, source FROM scripts WHERE hook <> 'library';
DROP TABLE scripts;
ALTER TABLE scripts_before RENAME TO scripts;
CREATE UNIQUE INDEX scripts_now ON scripts (rulebook_id, code) WHERE until_revision IS NULL;

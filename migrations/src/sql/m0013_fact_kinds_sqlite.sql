-- A CHECK cannot be altered here; nothing refers to this table.
CREATE TABLE fact_mappings_after (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  pointers {json} NOT NULL,
  kind text NOT NULL CHECK (kind IN ('text', 'number', 'boolean', 'time', 'phone', 'length', 'city', 'postal_code', 'email')),
  default_value text, "values" {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
INSERT INTO fact_mappings_after (rulebook_id, code, since_revision, until_revision, pointers, kind, default_value, "values")
  SELECT rulebook_id, code, since_revision, until_revision, pointers, kind, default_value, "values" FROM fact_mappings;
DROP TABLE fact_mappings;
ALTER TABLE fact_mappings_after RENAME TO fact_mappings;
CREATE UNIQUE INDEX fact_mappings_now ON fact_mappings (rulebook_id, code) WHERE until_revision IS NULL;

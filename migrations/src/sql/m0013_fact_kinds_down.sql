UPDATE fact_mappings SET kind = 'text' WHERE kind IN ('phone', 'city', 'postal_code', 'email');
UPDATE fact_mappings SET kind = 'number' WHERE kind = 'length';
{postgres}ALTER TABLE fact_mappings DROP CONSTRAINT fact_mappings_kind_check;
{postgres}ALTER TABLE fact_mappings ADD CONSTRAINT fact_mappings_kind_check CHECK (kind IN ('text', 'number', 'boolean', 'time'));
{sqlite}CREATE TABLE fact_mappings_before (
{sqlite}  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
{sqlite}  pointers {json} NOT NULL, kind text NOT NULL CHECK (kind IN ('text', 'number', 'boolean', 'time')), default_value text, "values" {json},
{sqlite}  PRIMARY KEY (rulebook_id, code, since_revision)
{sqlite});
{sqlite}INSERT INTO fact_mappings_before (rulebook_id, code, since_revision, until_revision, pointers, kind, default_value, "values")
{sqlite}  SELECT rulebook_id, code, since_revision, until_revision, pointers, kind, default_value, "values" FROM fact_mappings;
{sqlite}DROP TABLE fact_mappings;
{sqlite}ALTER TABLE fact_mappings_before RENAME TO fact_mappings;
{sqlite}CREATE UNIQUE INDEX fact_mappings_now ON fact_mappings (rulebook_id, code) WHERE until_revision IS NULL;
ALTER TABLE rulebook_settings DROP COLUMN region;

-- Who is on shift for a while, whatever the plans say. Times are those of the clock on the wall.
CREATE TABLE shift_overrides (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  contact text NOT NULL, instead_of text, "from" text NOT NULL, "until" text NOT NULL, comment text,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX shift_overrides_now ON shift_overrides (rulebook_id, code) WHERE until_revision IS NULL;

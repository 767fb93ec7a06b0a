-- How likely a call is about something, by all its words.
CREATE TABLE classifiers (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  learns text NOT NULL, bias bigint, weights {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX classifiers_now ON classifiers (rulebook_id, code) WHERE until_revision IS NULL;

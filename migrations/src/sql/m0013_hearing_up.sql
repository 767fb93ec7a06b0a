-- What a rulebook listens for: concepts, and the cues that say how a mention is meant.
CREATE TABLE concepts (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  phrases {json} NOT NULL, "except" {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE cues (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  effect text NOT NULL, "before" bigint, "after" bigint, otherwise text, phrases {json} NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX concepts_now ON concepts (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX cues_now ON cues (rulebook_id, code) WHERE until_revision IS NULL;
ALTER TABLE rulebook_settings ADD COLUMN listens_to {json};
ALTER TABLE priority_rules ADD COLUMN safety boolean;
ALTER TABLE priority_rules ADD COLUMN say {json};
ALTER TABLE services ADD COLUMN weak_keywords {json};

-- Edits not yet published. Each edit keeps the version of the row that it was made against.
CREATE TABLE change_sets (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  id {uuid} NOT NULL,
  state text NOT NULL CHECK (state IN ('open', 'scheduled', 'waiting', 'published', 'refused', 'discarded')),
  comment text NOT NULL,
  author text NOT NULL, author_key_id {uuid},
  -- the head when it was opened
  base_revision bigint NOT NULL,
  -- rises with every change of the change set
  version bigint NOT NULL DEFAULT 1,
  -- how many changes it holds, how large they are, and the number of the next
  changes bigint NOT NULL DEFAULT 0, bytes bigint NOT NULL DEFAULT 0, next_number bigint NOT NULL DEFAULT 1,
  -- when it is to be published, and who said so
  publish_at {time}, publisher {json},
  -- the revision that came of it
  revision bigint,
  -- why a scheduled publish was refused
  refusal {json},
  created_at {time} NOT NULL, updated_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id),
  FOREIGN KEY (rulebook_id, revision) REFERENCES revisions (rulebook_id, number),
  CHECK ((state = 'published') = (revision IS NOT NULL)),
  CHECK (state <> 'scheduled' OR publish_at IS NOT NULL)
);
CREATE INDEX change_sets_due ON change_sets (publish_at, rulebook_id) WHERE state = 'scheduled';

CREATE TABLE change_set_changes (
  rulebook_id {uuid} NOT NULL, change_set_id {uuid} NOT NULL, number bigint NOT NULL,
  edit {json} NOT NULL, bytes bigint NOT NULL,
  author text NOT NULL, created_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, change_set_id, number),
  FOREIGN KEY (rulebook_id, change_set_id) REFERENCES change_sets (rulebook_id, id) ON DELETE CASCADE
);

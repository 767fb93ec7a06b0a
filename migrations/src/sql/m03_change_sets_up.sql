-- Edits that are not published yet, the guard rails that limit price changes, and backtests.

CREATE TABLE change_sets (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  id {uuid} NOT NULL,
  state text NOT NULL CHECK (state IN ('open', 'scheduled', 'waiting', 'published', 'refused', 'discarded')),
  comment text NOT NULL,
  author text NOT NULL, author_key_id {uuid},
  -- the head when the change set was opened
  base_revision bigint NOT NULL,
  -- rises with every edit of the change set
  version bigint NOT NULL DEFAULT 1,
  -- how many changes there are, their total size in bytes, and the number that the next change gets
  changes bigint NOT NULL DEFAULT 0, bytes bigint NOT NULL DEFAULT 0, next_number bigint NOT NULL DEFAULT 1,
  -- the guard rails that the change set breaches, and the person who approved the change set
  breaches {json}, approved_by {json},
  -- when the change set will be published, and who scheduled it
  publish_at {time}, publisher {json},
  -- the revision as which the change set was published
  revision bigint,
  -- why a scheduled publication failed
  refusal {json},
  created_at {time} NOT NULL, updated_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id),
  FOREIGN KEY (rulebook_id, revision) REFERENCES revisions (rulebook_id, number),
  CHECK ((state = 'published') = (revision IS NOT NULL)),
  CHECK (state <> 'scheduled' OR publish_at IS NOT NULL)
);
CREATE INDEX change_sets_due ON change_sets (publish_at, rulebook_id) WHERE state = 'scheduled';

-- The edits of a change set. Each edit contains its base version, which is the version of the row that the author saw.
CREATE TABLE change_set_changes (
  rulebook_id {uuid} NOT NULL, change_set_id {uuid} NOT NULL, number bigint NOT NULL,
  edit {json} NOT NULL, bytes bigint NOT NULL,
  -- the author of the edit, who must not approve the change set
  author text NOT NULL, author_key_id {uuid},
  created_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, change_set_id, number),
  FOREIGN KEY (rulebook_id, change_set_id) REFERENCES change_sets (rulebook_id, id) ON DELETE CASCADE
);

-- Limits beyond which a price change needs a second person's approval. They are stored outside the rule rows, so that
-- nobody can raise a limit and change a price in the same change set.
CREATE TABLE guard_rails (
  rulebook_id {uuid} NOT NULL PRIMARY KEY REFERENCES rulebooks (id),
  lowest_price bigint, highest_price bigint, largest_change_percent text,
  version bigint NOT NULL CHECK (version > 0),
  updated_at {time} NOT NULL
);

-- A backtest computes the effect that a change would have had on past calls.
CREATE TABLE backtests (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  id {uuid} NOT NULL,
  state text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')),
  -- the head to compare the candidate with
  base_revision bigint NOT NULL,
  -- the request: candidate, period, maximum number of calls
  wanted {json} NOT NULL,
  percent bigint NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
  looked_at bigint NOT NULL DEFAULT 0,
  -- the result so far, which is complete when the backtest ends
  result {json},
  error text,
  author text NOT NULL,
  created_at {time} NOT NULL, started_at {time}, finished_at {time},
  -- The instance that runs the backtest updates this time regularly. If the updates stop, the instance has died.
  updated_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id)
);
CREATE INDEX backtests_unfinished ON backtests (updated_at, rulebook_id) WHERE state IN ('queued', 'running');

-- Backtests: what a change would have done to the calls that were.

CREATE TABLE backtests (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  id {uuid} NOT NULL,
  state text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')),
  -- the head that the candidate is compared with
  base_revision bigint NOT NULL,
  -- what was asked for: the candidate, the time, how many calls
  wanted {json} NOT NULL,
  percent bigint NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
  looked_at bigint NOT NULL DEFAULT 0,
  -- what was found so far, in the end all of it
  result {json},
  error text,
  author text NOT NULL,
  created_at {time} NOT NULL, started_at {time}, finished_at {time},
  -- the instance that runs it writes here all the time; when it stops doing so, it is gone
  updated_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id)
);
CREATE INDEX backtests_unfinished ON backtests (updated_at, rulebook_id) WHERE state IN ('queued', 'running');

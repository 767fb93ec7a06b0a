-- Rule usage: how often each rule took part in a decision, and which scripts failed.

-- A row with an empty code counts the decisions that used no row of the resource. The rows with the resource
-- `decisions` count all decisions.
CREATE TABLE rule_hits (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  -- the day in UTC, for example 2026-11-24
  day text NOT NULL,
  revision bigint NOT NULL, resource text NOT NULL, code text NOT NULL,
  hits bigint NOT NULL CHECK (hits > 0),
  last_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, day, revision, resource, code)
);

-- Failures of each script's current version. After too many failures within a short time, the script is skipped until
-- `until`.
CREATE TABLE script_quarantines (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL,
  -- the last revision that wrote the script or one of its libraries
  version bigint NOT NULL,
  -- The number of failures, and the number of runs since the first failure. A few failures among many runs do not cause
  -- a quarantine.
  faults bigint NOT NULL, runs bigint NOT NULL DEFAULT 0,
  first_fault_at {time} NOT NULL, last_fault_at {time} NOT NULL,
  since {time}, until {time},
  PRIMARY KEY (rulebook_id, code)
);
CREATE INDEX script_quarantines_until ON script_quarantines (until, rulebook_id) WHERE until IS NOT NULL;

-- What rules did: how often each took part in a decision, and scripts that failed.

-- An empty code counts the decisions in which no row of the resource took part; the resource `decisions` counts them all.
CREATE TABLE rule_hits (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  -- the day in UTC, as 2026-11-24
  day text NOT NULL,
  revision bigint NOT NULL, resource text NOT NULL, code text NOT NULL,
  hits bigint NOT NULL CHECK (hits > 0),
  last_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, day, revision, resource, code)
);

-- The faults of each script's current version; after too many within a time it is left out until `until`.
CREATE TABLE script_quarantines (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL,
  -- the last revision that wrote the script or a library that it uses
  version bigint NOT NULL,
  -- how often it ran since the first of these faults: a few faults of very many runs are no reason to leave it out
  faults bigint NOT NULL, runs bigint NOT NULL DEFAULT 0,
  first_fault_at {time} NOT NULL, last_fault_at {time} NOT NULL,
  since {time}, until {time},
  PRIMARY KEY (rulebook_id, code)
);
CREATE INDEX script_quarantines_until ON script_quarantines (until, rulebook_id) WHERE until IS NOT NULL;

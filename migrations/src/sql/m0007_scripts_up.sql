-- The faults of each script's present version; too many within a time and it is left out until `until`.
CREATE TABLE script_quarantines (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL,
  -- the last revision that wrote the script or a library that it uses
  version bigint NOT NULL,
  faults bigint NOT NULL, first_fault_at {time} NOT NULL, last_fault_at {time} NOT NULL,
  since {time}, until {time},
  PRIMARY KEY (rulebook_id, code)
);
CREATE INDEX script_quarantines_until ON script_quarantines (until, rulebook_id) WHERE until IS NOT NULL;

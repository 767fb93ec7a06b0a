-- Holidays by rule and days with opening hours of their own.
ALTER TABLE calendars ADD COLUMN holiday_rules {json};
ALTER TABLE calendars ADD COLUMN special_days {json};

-- How often each row took part in what was decided for messages. An empty code counts the decisions in which no row of
-- the resource did; the resource `decisions` counts them all.
CREATE TABLE rule_hits (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  -- the day in UTC, as 2026-11-24
  day text NOT NULL,
  revision bigint NOT NULL, resource text NOT NULL, code text NOT NULL,
  hits bigint NOT NULL CHECK (hits > 0),
  last_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, day, revision, resource, code)
);

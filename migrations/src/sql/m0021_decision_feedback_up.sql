-- What people say of a decision that was wrong: what it should have been, and what came of it.
CREATE TABLE decision_feedback (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL,
  call_id text NOT NULL,
  -- the decision that it is about
  decision_id {uuid} NOT NULL,
  -- what it should have been; none where it was right or nothing is said of it
  service text, priority text CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
  -- with taxes, in minor units
  total bigint CHECK (total >= 0),
  comment text,
  author text NOT NULL,
  created_at {time} NOT NULL,
  resolved_at {time}, resolved_by text, resolution text CHECK (resolution IN ('case', 'dismissed')), resolution_comment text,
  -- the case that it became, and the change set that holds the case where it was not published at once
  case_code text, change_set_id {uuid},
  PRIMARY KEY (rulebook_id, id),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id)
);
CREATE INDEX decision_feedback_call ON decision_feedback (rulebook_id, call_id);
CREATE INDEX decision_feedback_open ON decision_feedback (rulebook_id, id) WHERE resolved_at IS NULL;

-- How often a script ran since the first of the faults that are counted: a few faults of very many runs are no reason to
-- leave it out.
ALTER TABLE script_quarantines ADD COLUMN runs bigint NOT NULL DEFAULT 0;

ALTER TABLE script_quarantines DROP COLUMN runs;

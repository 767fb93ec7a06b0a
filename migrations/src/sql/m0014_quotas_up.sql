-- How many bytes of rows, as JSON, a revision ended and began: a rulebook has a quota of them a day.
ALTER TABLE revisions ADD COLUMN bytes bigint NOT NULL DEFAULT 0;

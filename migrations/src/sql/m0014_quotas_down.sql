ALTER TABLE revisions DROP COLUMN bytes;

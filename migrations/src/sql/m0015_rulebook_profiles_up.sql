-- What people call a rulebook, the code that it had before (messages to it are still taken), and since when it takes none.
ALTER TABLE rulebooks ADD COLUMN name text;
ALTER TABLE rulebooks ADD COLUMN former_code text;
ALTER TABLE rulebooks ADD COLUMN archived_at {time};
ALTER TABLE rulebooks ADD COLUMN profile_version bigint NOT NULL DEFAULT 1;
CREATE INDEX rulebooks_by_former_code ON rulebooks (former_code);

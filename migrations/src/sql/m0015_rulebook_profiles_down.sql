DROP INDEX rulebooks_by_former_code;
ALTER TABLE rulebooks DROP COLUMN profile_version;
ALTER TABLE rulebooks DROP COLUMN archived_at;
ALTER TABLE rulebooks DROP COLUMN former_code;
ALTER TABLE rulebooks DROP COLUMN name;

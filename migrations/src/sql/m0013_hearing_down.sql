ALTER TABLE services DROP COLUMN weak_keywords;
ALTER TABLE priority_rules DROP COLUMN say;
ALTER TABLE priority_rules DROP COLUMN safety;
ALTER TABLE rulebook_settings DROP COLUMN listens_to;
DROP TABLE cues;
DROP TABLE concepts;

ALTER TABLE api_keys DROP COLUMN made_by;
ALTER TABLE api_keys DROP COLUMN owner;

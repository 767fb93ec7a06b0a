-- Whose a key is, and the key that made it: nobody approves their own change with a second key.
ALTER TABLE api_keys ADD COLUMN owner text;
ALTER TABLE api_keys ADD COLUMN made_by {uuid};

-- Kinds of facts of their own, the country that callers' numbers and postal codes are of.
ALTER TABLE rulebook_settings ADD COLUMN region text;

-- Kinds of facts of their own, the country that callers' numbers and postal codes are of, and adjustments per unit.
ALTER TABLE rulebook_settings ADD COLUMN region text;
ALTER TABLE price_adjustments ADD COLUMN per text CHECK (per IN ('job', 'unit'));

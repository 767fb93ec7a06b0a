ALTER TABLE fact_mappings DROP CONSTRAINT fact_mappings_kind_check;
ALTER TABLE fact_mappings ADD CONSTRAINT fact_mappings_kind_check
  CHECK (kind IN ('text', 'number', 'boolean', 'time', 'phone', 'length', 'city', 'postal_code', 'email'));

DROP TABLE rule_hits;
ALTER TABLE calendars DROP COLUMN special_days;
ALTER TABLE calendars DROP COLUMN holiday_rules;

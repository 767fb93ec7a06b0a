DROP TABLE shift_overrides;

ALTER TABLE price_adjustments DROP COLUMN per;

-- What an adjustment's amount is for; none is the whole job.
ALTER TABLE price_adjustments ADD COLUMN per text CHECK (per IN ('job', 'unit'));

ALTER TABLE change_set_changes DROP COLUMN author_key_id;
ALTER TABLE change_sets DROP COLUMN approved_by;
ALTER TABLE change_sets DROP COLUMN breaches;

DROP TABLE change_set_changes;
DROP TABLE change_sets;

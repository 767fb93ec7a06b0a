DROP TABLE backtests;
DROP TABLE guard_rails;
DROP TABLE change_set_changes;
DROP TABLE change_sets;

DROP TABLE last_runs;

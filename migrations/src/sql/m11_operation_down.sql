DROP TABLE notices;
DROP TABLE purges;
DROP TABLE retentions;
DROP TABLE reconcile_cursors;
DROP TABLE last_runs;
DROP TABLE leases;

-- When periodic work, a backup or a reconcile last succeeded, whoever did it: /metrics of every instance shows the age.
CREATE TABLE last_runs (
  name text NOT NULL PRIMARY KEY,
  succeeded_at {time} NOT NULL
);

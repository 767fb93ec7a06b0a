DROP TABLE revisions;
DROP TABLE rulebooks;

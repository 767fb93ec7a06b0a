DROP TABLE classifiers;

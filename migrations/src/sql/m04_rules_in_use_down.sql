DROP TABLE script_quarantines;
DROP TABLE rule_hits;

DROP TABLE decision_feedback;
DROP TABLE leads;
DROP TABLE decisions;

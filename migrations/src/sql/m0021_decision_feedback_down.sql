DROP TABLE decision_feedback;

DROP TABLE secrets;
DROP TABLE idempotency_keys;
DROP TABLE console_login_links;
DROP TABLE console_sessions;
DROP TABLE api_keys;

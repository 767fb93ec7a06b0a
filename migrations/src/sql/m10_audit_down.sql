DROP TABLE audit_head;
DROP TABLE audit_log;
{postgres}DROP FUNCTION audit_log_is_append_only();

-- A fourth kind of script: a library that others import.
ALTER TABLE scripts DROP CONSTRAINT scripts_hook_check;
ALTER TABLE scripts ADD CONSTRAINT scripts_hook_check CHECK (hook IN ('price', 'priority', 'tool', 'library'));

-- What a change set that waits for a second person goes beyond, and who agreed to it.
ALTER TABLE change_sets ADD COLUMN breaches {json};
ALTER TABLE change_sets ADD COLUMN approved_by {json};
-- Nobody approves what they added themselves.
ALTER TABLE change_set_changes ADD COLUMN author_key_id {uuid};

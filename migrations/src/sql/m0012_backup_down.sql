DROP TABLE outbox_place;

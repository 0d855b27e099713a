-- Whose scores and readings they are, beside the key that says it only to whoever reads the answer:
-- rows of one checkpoint lie together, so that a question about it skips all others unread.
-- Filled in by whoever takes a batch in (`store.intake`); NULL where there is no such answer.

CREATE TABLE scores_of (
    key            VARCHAR NOT NULL,
    protocol_hash  VARCHAR NOT NULL,
    metric         VARCHAR NOT NULL,
    value          DOUBLE NOT NULL,
    failure        VARCHAR,
    fingerprint    VARCHAR               -- of the checkpoint that answered
);
INSERT INTO scores_of SELECT s.*, g.fingerprint FROM scores s LEFT JOIN generations g USING (key);
DROP TABLE scores;
ALTER TABLE scores_of RENAME TO scores;

CREATE TABLE readings_of (
    key            VARCHAR NOT NULL,
    protocol_hash  VARCHAR NOT NULL,
    extracted      VARCHAR NOT NULL,
    normalised     VARCHAR NOT NULL,
    lenient        VARCHAR,
    fingerprint    VARCHAR
);
INSERT INTO readings_of SELECT r.*, g.fingerprint FROM readings r LEFT JOIN generations g USING (key);
DROP TABLE readings;
ALTER TABLE readings_of RENAME TO readings;

-- Battles as they were held before people: prompts, both answers and the vote. A vote is a row of
-- `battles` too, whose `source` is the conversation's id. A later row of an id replaces an earlier.

CREATE TABLE conversations (
    id             VARCHAR PRIMARY KEY,
    session        VARCHAR NOT NULL,   -- whose it is
    state          VARCHAR NOT NULL,   -- answering, answered, failed, voted
    model_a        VARCHAR NOT NULL,   -- on the left, or first on a narrow screen
    model_b        VARCHAR NOT NULL,
    fingerprint_a  VARCHAR NOT NULL,
    fingerprint_b  VARCHAR NOT NULL,
    prompt         VARCHAR NOT NULL,   -- key of what was asked, as in `battles`
    suite          VARCHAR NOT NULL,   -- '' for a prompt that the voter wrote
    item_hash      VARCHAR,
    genre          VARCHAR NOT NULL,
    turns          JSON NOT NULL,      -- [{prompt, a: {text, finish_reason, error, ...}, b}]
    sampling       JSON NOT NULL,
    language       VARCHAR NOT NULL,   -- of the interface: ja, en
    began_at       TIMESTAMPTZ NOT NULL,
    answered_at    TIMESTAMPTZ,        -- both answers of the latest turn had ended
    voted_at       TIMESTAMPTZ,
    outcome        VARCHAR,            -- a, b, tie, both_bad
    tags_a         VARCHAR[] NOT NULL, -- what was good about each
    tags_b         VARCHAR[] NOT NULL,
    comment        VARCHAR NOT NULL
);

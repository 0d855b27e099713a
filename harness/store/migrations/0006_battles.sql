-- Battles between models: the record that ratings are computed from, of every kind together.
-- Grows without bound and carries no index, as `generations` does.

CREATE TABLE battles (
    id         VARCHAR NOT NULL,   -- content hash: what is imported or played again has it again
    kind       VARCHAR NOT NULL,   -- judge, verifier, people, import:NAME
    model_a    VARCHAR NOT NULL,
    model_b    VARCHAR NOT NULL,
    outcome    VARCHAR NOT NULL,   -- a, b, tie, both_bad
    prompt     VARCHAR NOT NULL,   -- what both were asked, as a key: battles of one are a cluster
    source     VARCHAR NOT NULL,   -- SHA-256 of the file, or the two evaluations
    sequence   BIGINT NOT NULL,    -- place within the source, for what has no time
    genre      VARCHAR NOT NULL,   -- '' where it is not known
    item_hash  VARCHAR,
    match      VARCHAR,            -- one comparison that was asked in both orders; NULL: it stands alone
    first      VARCHAR NOT NULL,   -- whose answer was seen first: a, b, none
    session    VARCHAR,            -- who voted
    latency    DOUBLE,             -- seconds until the vote
    time       TIMESTAMPTZ,
    weight     DOUBLE NOT NULL,
    style_a    DOUBLE[],           -- length, headers, lists, bold
    style_b    DOUBLE[]
);

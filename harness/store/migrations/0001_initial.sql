-- The record. Raw text is kept, so any score can be computed again without a model.
-- `generations` and `scores` grow without bound and carry no index: whoever ingests holds the
-- only write lock and joins against them instead (an index would double the file).

CREATE TABLE checkpoints (
    fingerprint  VARCHAR PRIMARY KEY,   -- SHA-256 of content, never of a name
    name         VARCHAR NOT NULL,
    path         VARCHAR,
    url          VARCHAR,
    run          VARCHAR,
    step         BIGINT,
    tokens_seen  BIGINT,
    parent       VARCHAR,               -- fingerprint
    mixture      JSON,                  -- {shard or corpus: weight}
    parameters   BIGINT,
    recorded_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE protocols (
    hash        VARCHAR PRIMARY KEY,
    id          VARCHAR NOT NULL,
    suite       VARCHAR NOT NULL,
    definition  JSON NOT NULL
);

CREATE TABLE items (
    hash        VARCHAR PRIMARY KEY,
    id          VARCHAR NOT NULL,
    genre       VARCHAR NOT NULL,
    skill       VARCHAR NOT NULL,
    level       INTEGER,
    template    VARCHAR,
    seen        BOOLEAN,
    cluster     VARCHAR,
    definition  JSON NOT NULL           -- the whole item
);

CREATE TABLE evaluations (
    id             VARCHAR PRIMARY KEY, -- hash of checkpoint, protocol, items, samples and seed
    fingerprint    VARCHAR NOT NULL,
    protocol_hash  VARCHAR NOT NULL,
    items_hash     VARCHAR NOT NULL,
    suite          VARCHAR NOT NULL,
    items          BIGINT NOT NULL,
    samples        BIGINT NOT NULL,
    seed           BIGINT NOT NULL,
    engine         VARCHAR,
    state          VARCHAR NOT NULL,    -- running, complete, void (the checkpoint was replaced)
    planned        BIGINT NOT NULL,     -- planned = done + failed once complete
    done           BIGINT NOT NULL,
    failed         BIGINT NOT NULL,
    failures       JSON NOT NULL,       -- {failure class: count} over done answers
    started_at     TIMESTAMPTZ NOT NULL,
    finished_at    TIMESTAMPTZ
);

CREATE TABLE requests (
    evaluation  VARCHAR NOT NULL,
    key         VARCHAR NOT NULL,       -- content key
    item_hash   VARCHAR NOT NULL,
    sample      INTEGER NOT NULL,
    turn        INTEGER NOT NULL,
    kind        VARCHAR NOT NULL        -- answer, choice
);

CREATE TABLE generations (
    key                VARCHAR NOT NULL,
    fingerprint        VARCHAR NOT NULL,
    item_hash          VARCHAR NOT NULL,
    kind               VARCHAR NOT NULL,
    sample             INTEGER NOT NULL,
    turn               INTEGER NOT NULL,
    prompt             VARCHAR NOT NULL, -- as the engine got it; messages as JSON
    sampling           JSON NOT NULL,
    text               VARCHAR NOT NULL,
    finish_reason      VARCHAR NOT NULL, -- stop, length, error
    prompt_tokens      BIGINT NOT NULL,
    completion_tokens  BIGINT NOT NULL,
    cached_tokens      BIGINT NOT NULL,
    latency            DOUBLE NOT NULL,  -- seconds
    likelihoods        JSON NOT NULL,    -- [[log p, tokens], ...] in the order of the labels
    error              VARCHAR,
    engine             VARCHAR NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL
);

CREATE TABLE scores (
    key            VARCHAR NOT NULL,     -- of the generation
    protocol_hash  VARCHAR NOT NULL,
    metric         VARCHAR NOT NULL,
    value          DOUBLE NOT NULL,
    failure        VARCHAR
);

-- Spooled batches that are in the tables above; written in the same transaction.
CREATE TABLE ingested (
    batch        VARCHAR PRIMARY KEY,
    taken_in_at  TIMESTAMPTZ NOT NULL
);

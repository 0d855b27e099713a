-- Rounds of synthesis: what was wanted, and what it bought.

CREATE TABLE synthesis_rounds (
    id           VARCHAR PRIMARY KEY,   -- hash of run, round and plan
    run          VARCHAR NOT NULL,      -- '' for a student without a run
    round        BIGINT NOT NULL,       -- counts from 1 within a run
    student      VARCHAR NOT NULL,      -- name of the checkpoint that the plan was made for
    fingerprint  VARCHAR NOT NULL,
    target       VARCHAR NOT NULL,
    policy       VARCHAR NOT NULL,
    seed         BIGINT NOT NULL,
    plan         JSON NOT NULL,         -- the whole plan
    made_at      TIMESTAMPTZ NOT NULL
);

-- The paired gain of a genre or skill between the checkpoints before and after a round.
CREATE TABLE round_gains (
    round_id     VARCHAR NOT NULL,
    suite        VARCHAR NOT NULL,
    genre        VARCHAR NOT NULL,
    skill        VARCHAR NOT NULL,      -- '' is the whole genre
    metric       VARCHAR NOT NULL,
    samples      BIGINT NOT NULL,       -- verified samples of it that were trained on
    gain         DOUBLE NOT NULL,       -- after less before, as a share of the metric's scale
    se           DOUBLE NOT NULL,       -- clustered, of the paired change
    items        BIGINT NOT NULL,
    before       VARCHAR NOT NULL,      -- evaluation
    after        VARCHAR NOT NULL,      -- evaluation
    recorded_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (round_id, suite, genre, skill)
);

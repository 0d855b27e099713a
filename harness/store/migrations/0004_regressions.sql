-- What broke: one row a metric that a comparison called regressed, so that later rounds and people
-- act on it. The verdict and its evidence never change; the status does.

CREATE TABLE regressions (
    id             VARCHAR PRIMARY KEY, -- hash of baseline, candidate, metric and policy
    baseline       VARCHAR NOT NULL,    -- evaluation; of several pooled ones the last
    candidate      VARCHAR NOT NULL,    -- evaluation
    run            VARCHAR,             -- of the candidate
    baseline_step  BIGINT,
    step           BIGINT,              -- of the candidate
    protocol_hash  VARCHAR NOT NULL,
    suite          VARCHAR NOT NULL,
    genre          VARCHAR NOT NULL,    -- "all" over genres
    dataset        VARCHAR NOT NULL,    -- "all" over datasets
    metric         VARCHAR NOT NULL,
    evidence       JSON NOT NULL,       -- change, interval, p, items, test, ...
    policy         JSON NOT NULL,       -- as it was applied
    policy_hash    VARCHAR NOT NULL,
    cause          JSON NOT NULL,       -- what lineage says changed; [] where it says nothing
    status         VARCHAR NOT NULL,    -- open, acknowledged, fixed
    fixed_at_step  BIGINT,              -- of status fixed, where the checkpoint has a step
    note           VARCHAR,             -- who acknowledged it, and why
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL
);

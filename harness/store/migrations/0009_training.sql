-- What a training run said of itself, line by line (training_log.jsonl), beside what its checkpoints
-- score.

CREATE TABLE training_log (
    run                VARCHAR NOT NULL,
    step               BIGINT NOT NULL,
    tokens_seen        BIGINT,
    loss               DOUBLE,   -- nats a token, of the batch or the steps since the line before
    grad_norm          DOUBLE,   -- before clipping
    learning_rate      DOUBLE,
    tokens_per_second  DOUBLE,   -- over all processes
    mfu                DOUBLE,   -- share of the accelerators' peak; NULL on a CPU
    phase              VARCHAR,
    event              VARCHAR,  -- "rollback to step 40", "loss nan"
    PRIMARY KEY (run, step)
);

-- Loss on held-out samples of one genre.
CREATE TABLE training_genre_loss (
    run    VARCHAR NOT NULL,
    step   BIGINT NOT NULL,
    genre  VARCHAR NOT NULL,
    loss   DOUBLE NOT NULL,
    PRIMARY KEY (run, step, genre)
);

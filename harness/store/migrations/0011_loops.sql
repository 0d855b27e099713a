-- What a closed loop has done, stage by stage: the record from which it goes on.

CREATE TABLE loop_stages (
    run          VARCHAR NOT NULL,      -- the loop's run
    number       BIGINT NOT NULL,       -- counts from 1 within a run
    round        BIGINT NOT NULL,       -- counts from 1
    phase        VARCHAR NOT NULL,      -- of the mixture that the round trains
    made         BOOLEAN NOT NULL,      -- whether the phase is synthesized; else it was given
    stage        VARCHAR NOT NULL,
    inputs       JSON NOT NULL,         -- hashes by name
    outputs      JSON NOT NULL,         -- hashes and values by name
    seconds      DOUBLE NOT NULL,
    ended_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (run, number)
);

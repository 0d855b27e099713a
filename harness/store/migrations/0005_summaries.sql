-- Scores that other harnesses summed up, what `harness watch` has judged, and more of lineage.

ALTER TABLE checkpoints ADD COLUMN phase VARCHAR;
ALTER TABLE checkpoints ADD COLUMN learning_rate DOUBLE;

CREATE TABLE summaries (
    run               VARCHAR NOT NULL,
    step              BIGINT NOT NULL,
    task              VARCHAR NOT NULL,
    protocol          VARCHAR NOT NULL,  -- how it was asked, as far as it is told: "5-shot"; or ''
    metric            VARCHAR NOT NULL,
    value             DOUBLE NOT NULL,
    stderr            DOUBLE,
    n                 BIGINT,            -- items behind the value
    higher_is_better  BOOLEAN,           -- NULL: not told
    place             VARCHAR NOT NULL,  -- file:line it was first imported from
    imported_at       TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (run, step, task, protocol, metric)
);

-- A checkpoint that `harness watch` has judged against the last good ones: its whole state.
CREATE TABLE watched (
    run          VARCHAR NOT NULL,
    step         BIGINT NOT NULL,
    fingerprint  VARCHAR NOT NULL,
    policy_hash  VARCHAR NOT NULL,       -- of suites, items, samples, levels
    checkpoint   VARCHAR NOT NULL,       -- name
    number       BIGINT NOT NULL,        -- comparisons made before it; sets the level of its tests
    verdict      VARCHAR NOT NULL,       -- first, good, inconclusive, regressed
    is_anchor    BOOLEAN NOT NULL,       -- whether every item has all samples
    evidence     JSON NOT NULL,          -- evaluations, baseline, level, verdict of each genre
    judged_at    TIMESTAMPTZ NOT NULL,
    notified_at  TIMESTAMPTZ,            -- NULL while a message is owed
    PRIMARY KEY (run, step, fingerprint, policy_hash)
);

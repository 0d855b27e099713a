-- Scores that others published as a table: shown beside ours, marked, and never ranked with them. A
-- source is replaced as a whole; within it each model, id, group, benchmark and metric stands once.

CREATE TABLE published (
    source       VARCHAR NOT NULL,     -- the name it was imported under
    file_hash    VARCHAR NOT NULL,     -- SHA-256 of the file
    licence      VARCHAR NOT NULL,     -- as it was told; '' where it was not
    model        VARCHAR NOT NULL,
    model_id     VARCHAR NOT NULL,     -- '' where the table has none
    "group"      VARCHAR NOT NULL,     -- of benchmarks, or their category; '' where there is none
    benchmark    VARCHAR NOT NULL,
    metric       VARCHAR NOT NULL,     -- '' where it is not told
    value        DOUBLE NOT NULL,      -- as it was published
    line         BIGINT NOT NULL,      -- of the file
    imported_at  TIMESTAMPTZ NOT NULL
);

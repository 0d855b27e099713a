-- Datasets within a suite, what a protocol takes an answer for, and where imported items lie.

ALTER TABLE items ADD COLUMN dataset VARCHAR;

CREATE TABLE readings (
    key            VARCHAR NOT NULL,     -- of the generation
    protocol_hash  VARCHAR NOT NULL,
    extracted      VARCHAR NOT NULL,     -- the part of the raw text that the protocol reads
    normalised     VARCHAR NOT NULL,     -- as its metric compares it
    lenient        VARCHAR               -- what a careful reader finds; NULL without an answer
);

CREATE TABLE imports (
    name         VARCHAR PRIMARY KEY,    -- the suite that reads it: jaster
    path         VARCHAR NOT NULL,
    hash         VARCHAR NOT NULL,       -- of the content when it was imported
    imported_at  TIMESTAMPTZ NOT NULL
);

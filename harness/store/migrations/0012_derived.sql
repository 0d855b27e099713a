-- What is computed from scores and takes long at size, so that it is computed once.

-- How often the scores of a checkpoint under a protocol have changed; no row: never since 0012.
CREATE TABLE revisions (
    fingerprint    VARCHAR NOT NULL,
    protocol_hash  VARCHAR NOT NULL,
    revision       BIGINT NOT NULL,
    PRIMARY KEY (fingerprint, protocol_hash)
);

-- Holds while `revision` is still what `revisions` says; may be deleted at any time.
CREATE TABLE derived (
    key         VARCHAR PRIMARY KEY,  -- what it is, by which version of the code, of what
    evaluation  VARCHAR NOT NULL,
    revision    VARCHAR NOT NULL,     -- of every evaluation it was computed from
    value       VARCHAR NOT NULL      -- in its own notation
);

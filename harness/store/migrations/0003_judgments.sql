-- What judges said of answers. A judgment is known by the content of its call, so that whoever
-- asks the same again, of whatever evaluation, finds it here and pays nothing.

CREATE TABLE judgments (
    key                VARCHAR NOT NULL,  -- judge, prompt hash, messages, sampling, repeat
    attempt            INTEGER NOT NULL,  -- 0; one more for each time it was asked again
    judge              VARCHAR NOT NULL,  -- the model, or a local checkpoint's fingerprint
    prompt             VARCHAR NOT NULL,  -- name of the prompt
    prompt_hash        VARCHAR NOT NULL,  -- of its text, and of what reads the verdict
    repeat             INTEGER NOT NULL,
    messages           JSON NOT NULL,     -- as the judge got them
    sampling           JSON NOT NULL,
    text               VARCHAR NOT NULL,  -- raw
    value              DOUBLE,            -- the rating, or the share of a win; NULL: none
    failure            VARCHAR,           -- why there is none; "request": the judge did not answer
    error              VARCHAR,           -- of failure "request", in one line
    prompt_tokens      BIGINT NOT NULL,
    completion_tokens  BIGINT NOT NULL,
    cost               DOUBLE,            -- in the currency of the price; NULL without a price
    latency            DOUBLE NOT NULL,   -- seconds
    place              VARCHAR NOT NULL,  -- where it was asked: a URL, an engine, a file
    created_at         TIMESTAMPTZ NOT NULL
);

-- Which judgments belong to which answers of an evaluation.
CREATE TABLE judged (
    evaluation   VARCHAR NOT NULL,
    answer       VARCHAR NOT NULL,        -- key of the generation
    judge        VARCHAR NOT NULL,
    prompt_set   VARCHAR NOT NULL,        -- hash of all the prompts that belong together
    repeat       INTEGER NOT NULL,
    key          VARCHAR NOT NULL         -- of the judgment
);

-- Which judgments compare which answers of two evaluations, each pair in both orders.
CREATE TABLE paired (
    evaluation_a  VARCHAR NOT NULL,
    evaluation_b  VARCHAR NOT NULL,
    answer_a      VARCHAR NOT NULL,       -- key of the generation
    answer_b      VARCHAR NOT NULL,
    judge         VARCHAR NOT NULL,
    prompt_set    VARCHAR NOT NULL,
    swapped       BOOLEAN NOT NULL,       -- whether b was shown first
    repeat        INTEGER NOT NULL,
    key           VARCHAR NOT NULL        -- of the judgment: 1 the first is better, 0.5 a tie, 0
);

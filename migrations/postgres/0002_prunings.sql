-- What a replay needs beside the body, and what an audit needs once rows are deleted.
-- The locks come in the order in which lanes take theirs, refusals before cursors, so that an older server that is still
-- running waits instead of deadlocking; from there on it cannot commit, so that what is counted is of one moment.

ALTER TABLE refusals ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}'; -- object: the delivery's X-Mm-* headers

-- Rows of `refusals` that this lane inserted, conflicts among them. One that was there already is in `refusals` or
-- `conflicts`, not here.
ALTER TABLE cursors ADD COLUMN refusal_rows bigint NOT NULL DEFAULT 0;
UPDATE cursors SET refusal_rows = refusals + conflicts;

-- How many rows were ever deleted, so that the sums of `cursors` can be compared with the tables:
-- rows of events + prunings.events = sum of stored; rows of refusals + prunings.refusals = sum of refusal_rows.
CREATE TABLE prunings (
    only_row smallint NOT NULL PRIMARY KEY CHECK (only_row = 1),
    events   bigint   NOT NULL,
    refusals bigint   NOT NULL
);

-- What is missing by now was deleted by hand, or was never inserted because it was there already.
INSERT INTO prunings (only_row, events, refusals) SELECT 1,
    greatest(0, (SELECT coalesce(sum(stored), 0) FROM cursors) - (SELECT count(*) FROM events)),
    greatest(0, (SELECT coalesce(sum(refusal_rows), 0) FROM cursors) - (SELECT count(*) FROM refusals));

COMMENT ON TABLE prunings IS 'How many rows were ever deleted';

-- What an operator asks first: how many of which rule, and since when. It covers the question, bodies are not walked.
CREATE INDEX refusals_summary ON refusals (state, source, rule, received_at);

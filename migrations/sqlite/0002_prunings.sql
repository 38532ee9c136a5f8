-- What a replay needs beside the body, and what an audit needs once rows are deleted.

ALTER TABLE refusals ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}'; -- JSON object: the delivery's X-Mm-* headers

-- Rows of `refusals` that this lane inserted, conflicts among them. One that was there already is in `refusals` or
-- `conflicts`, not here.
ALTER TABLE cursors ADD COLUMN refusal_rows INTEGER NOT NULL DEFAULT 0;
UPDATE cursors SET refusal_rows = refusals + conflicts;

-- How many rows were ever deleted, so that the sums of `cursors` can be compared with the tables:
-- rows of events + prunings.events = sum of stored; rows of refusals + prunings.refusals = sum of refusal_rows.
CREATE TABLE prunings (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    events   INTEGER NOT NULL,
    refusals INTEGER NOT NULL
) STRICT;

-- What is missing by now was deleted by hand, or was never inserted because it was there already.
INSERT INTO prunings (only_row, events, refusals) SELECT 1,
    max(0, (SELECT coalesce(sum(stored), 0) FROM cursors) - (SELECT count(*) FROM events)),
    max(0, (SELECT coalesce(sum(refusal_rows), 0) FROM cursors) - (SELECT count(*) FROM refusals));

-- What an operator asks first: how many of which rule, and since when. It covers the question, bodies are not walked.
CREATE INDEX refusals_summary ON refusals (state, source, rule, received_at);

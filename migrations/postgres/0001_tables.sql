-- What was received, what was refused, who the users are, and how far each lane has come.
-- People query these tables directly: a column is never renamed or given a second meaning.

-- One row an event. Written by lanes, in the transaction that moves their cursor.
CREATE TABLE events (
    event_id     uuid        NOT NULL PRIMARY KEY, -- UUIDv7 made at receipt; a replayed refusal keeps its refusal_id
    source       text        NOT NULL CHECK (source <> ''), -- name of the configured source
    kind         text        NOT NULL,             -- 'segment' or 'bof'
    dedup_key    text,                             -- the sender's own id of the event; null where it sent none
    action       text        NOT NULL,             -- what happened, lower-cased
    event_type   text        NOT NULL,
    name         text        NOT NULL,
    event_source text        NOT NULL,             -- the channel, in the sender's spelling
    time         timestamptz NOT NULL,             -- when it happened, by the sender's clock
    received_at  timestamptz NOT NULL,             -- when it arrived, by ours
    user_id      text,
    anonymous_id text,
    username     text,                             -- from the users directory, as it was at receipt
    page         text,                             -- the page or screen
    host         text        NOT NULL,
    agent        text        NOT NULL,
    ip           text        NOT NULL,
    event        jsonb       NOT NULL,             -- the values as sent, with every digit
    context      jsonb       NOT NULL,
    event_hash   bytea,                            -- first 16 bytes of SHA-256 of the event's bytes; null where duplicates are not compared
    sanitised    boolean     NOT NULL              -- whether text that no database can hold was replaced by U+FFFD
);

-- The second of two events with the same key is not stored. Null keys never collide.
CREATE UNIQUE INDEX events_source_dedup_key ON events (source, dedup_key);
CREATE INDEX events_time ON events (time);
-- Rows arrive in this order, so that a block-range index is enough, at a thousandth of the size.
CREATE INDEX events_received_at ON events USING brin (received_at);

COMMENT ON TABLE events IS 'One row an event, exactly once';

-- One row for each element that was not accepted, with its reason; a replay stores it as an event under the same id.
CREATE TABLE refusals (
    refusal_id     uuid        NOT NULL PRIMARY KEY,
    source         text        NOT NULL CHECK (source <> ''),
    received_at    timestamptz NOT NULL,
    rule           text        NOT NULL,           -- stable identifier of the rule that refused it, such as 'user.missing'
    pointer        text        NOT NULL,           -- where in the element, as a JSON pointer
    message        text        NOT NULL,           -- the same in words
    element        bigint,                         -- which element of a batch, from 0; null where it was no batch
    method         text        NOT NULL,
    path           text        NOT NULL,           -- without its query
    host           text        NOT NULL,           -- of the request, without its port
    content_type   text        NOT NULL,
    config_version text        NOT NULL,           -- version of the settings that refused it
    body           bytea       NOT NULL,           -- the element, or the whole body as it was on the wire
    truncated      boolean     NOT NULL,           -- whether body lacks bytes that were sent
    body_hash      bytea       NOT NULL,           -- SHA-256 of the whole body, also of what was truncated
    state          text        NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'replayed', 'discarded'))
);

CREATE INDEX refusals_received_at ON refusals (received_at);

COMMENT ON TABLE refusals IS 'What was not accepted, kept with its reason';

-- The users directory.
CREATE TABLE users (
    id       bigint NOT NULL PRIMARY KEY,
    username text   NOT NULL
);

-- Grows whenever users changed; running servers poll it and load the directory again.
CREATE TABLE users_version (
    only_row smallint NOT NULL PRIMARY KEY CHECK (only_row = 1),
    version  bigint   NOT NULL
);

INSERT INTO users_version (only_row, version) VALUES (1, 0);

COMMENT ON TABLE users IS 'The users directory: names by id';

-- How far a lane has come in a spool, and what became of every sequence on the way:
-- stored + duplicates + conflicts + dead + refusals + gaps = next_sequence - first_sequence.
CREATE TABLE cursors (
    spool_id       uuid        NOT NULL,
    lane           text        NOT NULL,           -- the sink's name
    first_sequence bigint      NOT NULL,           -- where the lane began
    next_sequence  bigint      NOT NULL,           -- everything below is settled
    stored         bigint      NOT NULL,           -- events that this lane stored
    duplicates     bigint      NOT NULL,           -- events that were there already
    conflicts      bigint      NOT NULL,           -- events kept as refusals, because their key is taken by other content
    dead           bigint      NOT NULL,           -- records that went to the dead letters
    refusals       bigint      NOT NULL,           -- refusals stored
    gaps           bigint      NOT NULL,           -- sequences lost to damage of the spool
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (spool_id, lane)
);

COMMENT ON TABLE cursors IS 'How far each lane has come in its spool';

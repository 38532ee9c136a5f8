-- What was received, what was refused, who the users are, and how far each lane has come.
-- People query these tables directly: a column is never renamed or given a second meaning.
-- Ids are UUIDs as text. Times are RFC 3339 in UTC with six digits ('2026-01-31T12:00:00.000000Z'), so that they
-- sort as text. Booleans are 0 or 1.

-- One row an event. Written by lanes, in the transaction that moves their cursor.
CREATE TABLE events (
    event_id     TEXT    NOT NULL PRIMARY KEY, -- UUIDv7 made at receipt; a replayed refusal keeps its refusal_id
    source       TEXT    NOT NULL CHECK (source <> ''), -- name of the configured source
    kind         TEXT    NOT NULL,             -- 'segment' or 'bof'
    dedup_key    TEXT,                         -- the sender's own id of the event; null where it sent none
    action       TEXT    NOT NULL,             -- what happened, lower-cased
    event_type   TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    event_source TEXT    NOT NULL,             -- the channel, in the sender's spelling
    time         TEXT    NOT NULL,             -- when it happened, by the sender's clock
    received_at  TEXT    NOT NULL,             -- when it arrived, by ours
    user_id      TEXT,
    anonymous_id TEXT,
    username     TEXT,                         -- from the users directory, as it was at receipt
    page         TEXT,                         -- the page or screen
    host         TEXT    NOT NULL,
    agent        TEXT    NOT NULL,
    ip           TEXT    NOT NULL,
    event        TEXT    NOT NULL,             -- JSON, the bytes as sent
    context      TEXT    NOT NULL,             -- JSON
    event_hash   BLOB,                         -- first 16 bytes of SHA-256 of the event's bytes; null where duplicates are not compared
    sanitised    INTEGER NOT NULL              -- whether text that no database can hold was replaced by U+FFFD
) STRICT;

-- The second of two events with the same key is not stored. Null keys never collide.
CREATE UNIQUE INDEX events_source_dedup_key ON events (source, dedup_key);
CREATE INDEX events_time ON events (time);
-- No index on received_at: event_id begins with the same time, in the same order.

-- One row for each element that was not accepted, with its reason; a replay stores it as an event under the same id.
CREATE TABLE refusals (
    refusal_id     TEXT    NOT NULL PRIMARY KEY,
    source         TEXT    NOT NULL CHECK (source <> ''),
    received_at    TEXT    NOT NULL,
    rule           TEXT    NOT NULL,           -- stable identifier of the rule that refused it, such as 'user.missing'
    pointer        TEXT    NOT NULL,           -- where in the element, as a JSON pointer
    message        TEXT    NOT NULL,           -- the same in words
    element        INTEGER,                    -- which element of a batch, from 0; null where it was no batch
    method         TEXT    NOT NULL,
    path           TEXT    NOT NULL,           -- without its query
    host           TEXT    NOT NULL,           -- of the request, without its port
    content_type   TEXT    NOT NULL,
    config_version TEXT    NOT NULL,           -- version of the settings that refused it
    body           BLOB    NOT NULL,           -- the element, or the whole body as it was on the wire
    truncated      INTEGER NOT NULL,           -- whether body lacks bytes that were sent
    body_hash      BLOB    NOT NULL,           -- SHA-256 of the whole body, also of what was truncated
    state          TEXT    NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'replayed', 'discarded'))
) STRICT;

CREATE INDEX refusals_received_at ON refusals (received_at);

-- The users directory.
CREATE TABLE users (
    id       INTEGER NOT NULL PRIMARY KEY,
    username TEXT    NOT NULL
) STRICT;

-- Grows whenever users changed; running servers poll it and load the directory again.
CREATE TABLE users_version (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    version  INTEGER NOT NULL
) STRICT;

INSERT INTO users_version (only_row, version) VALUES (1, 0);

-- How far a lane has come in a spool, and what became of every sequence on the way:
-- stored + duplicates + conflicts + dead + refusals + gaps = next_sequence - first_sequence.
CREATE TABLE cursors (
    spool_id       TEXT    NOT NULL,
    lane           TEXT    NOT NULL,           -- the sink's name
    first_sequence INTEGER NOT NULL,           -- where the lane began
    next_sequence  INTEGER NOT NULL,           -- everything below is settled
    stored         INTEGER NOT NULL,           -- events that this lane stored
    duplicates     INTEGER NOT NULL,           -- events that were there already
    conflicts      INTEGER NOT NULL,           -- events kept as refusals, because their key is taken by other content
    dead           INTEGER NOT NULL,           -- records that went to the dead letters
    refusals       INTEGER NOT NULL,           -- refusals stored
    gaps           INTEGER NOT NULL,           -- sequences lost to damage of the spool
    updated_at     TEXT    NOT NULL,
    PRIMARY KEY (spool_id, lane)
) STRICT, WITHOUT ROWID;

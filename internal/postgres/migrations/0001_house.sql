-- What the log knows of a workspace. Whoever appends to its log holds this row's
-- lock from before the first look at the log until the commit: so positions have
-- no gaps, and their order is the order of commits.
CREATE TABLE tenant (
  number   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id       text COLLATE "C" NOT NULL UNIQUE,
  position bigint NOT NULL DEFAULT 0, -- of its newest event
  erased   bigint NOT NULL DEFAULT 0  -- of its newest erasure
);

-- The log is the truth: one row an event, never changed but by an erasure, which
-- leaves the place and the id. key is a hash of the key under which the event stays
-- (key.go), NULL when it is nobody's; at is its time in milliseconds since 1970;
-- event is the rest (frame.go), empty when it was erased.
CREATE TABLE log (
  workspace integer NOT NULL,
  position  bigint NOT NULL,
  at        bigint NOT NULL,
  id        uuid NOT NULL,
  key       uuid,
  event     bytea NOT NULL,
  PRIMARY KEY (workspace, position)
);
CREATE UNIQUE INDEX log_id ON log (id);
CREATE INDEX log_key ON log (key, position) WHERE key IS NOT NULL;
CREATE INDEX log_time ON log (key, at) WHERE key IS NOT NULL;
CREATE INDEX log_shelf ON log (workspace, position) WHERE key IS NULL;

-- The ledger. at is in nanoseconds since 1970. What askers may have invented is
-- bytes: text here cannot hold every string.
CREATE TABLE decision (
  id        text COLLATE "C" PRIMARY KEY,
  workspace text COLLATE "C" NOT NULL,
  person    text COLLATE "C" NOT NULL,
  at        bigint NOT NULL,
  strategy  integer NOT NULL,
  arm       text COLLATE "C" NOT NULL,
  placement bytea NOT NULL,
  asker     bytea NOT NULL,
  actions   text[] NOT NULL,
  body      bytea
);
CREATE INDEX decision_time ON decision (workspace, at, id);
CREATE INDEX decision_person ON decision (workspace, person, at, id);

CREATE TABLE workspace (
  id   text COLLATE "C" PRIMARY KEY,
  body bytea NOT NULL
);

CREATE TABLE strategy (
  workspace text COLLATE "C" NOT NULL,
  number    integer NOT NULL,
  body      bytea NOT NULL,
  model     bytea,
  PRIMARY KEY (workspace, number)
);

CREATE TABLE current_strategy (
  workspace text COLLATE "C" PRIMARY KEY,
  number    integer NOT NULL
);

-- Everything below is derived from the log and may be dropped.

-- What a starting node reads instead of the whole log: identity and followers, all
-- as of the positions in the piece "marks".
CREATE TABLE snapshot (
  name text COLLATE "C" NOT NULL,
  part integer NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (name, part)
);

-- Profiles of people with a long history, up to a position.
CREATE TABLE checkpoint (
  workspace integer NOT NULL,
  keys      uuid[] NOT NULL,
  position  bigint NOT NULL,
  body      bytea NOT NULL,
  PRIMARY KEY (workspace, keys)
);

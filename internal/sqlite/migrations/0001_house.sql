-- The log is the truth: one row holds up to 4095 events of one commit, back to
-- back (frame.go). A position is seq<<12 | (index in the row + 1).
CREATE TABLE log (
  seq  INTEGER PRIMARY KEY,
  n    INTEGER NOT NULL,
  body BLOB NOT NULL
);

-- Records that belong to no person (items, relations, articles, attributes, public
-- promotions), once more by themselves: the shelf is filled from here at a start.
CREATE TABLE record (
  position  INTEGER PRIMARY KEY,
  workspace TEXT NOT NULL,
  kind      TEXT NOT NULL,
  id        TEXT NOT NULL,
  deleted   INTEGER NOT NULL,
  body      BLOB NOT NULL
);

-- The ledger. at is in nanoseconds since 1970; actions are separated by line feeds.
CREATE TABLE decision (
  number    INTEGER PRIMARY KEY,
  id        TEXT NOT NULL UNIQUE,
  workspace TEXT NOT NULL,
  person    TEXT NOT NULL,
  at        INTEGER NOT NULL,
  strategy  INTEGER NOT NULL,
  arm       TEXT NOT NULL,
  placement TEXT NOT NULL,
  asker     TEXT NOT NULL,
  actions   TEXT NOT NULL,
  body      BLOB
);
CREATE INDEX decision_time ON decision (workspace, at, id);
CREATE INDEX decision_person ON decision (workspace, person, at, id);

CREATE TABLE workspace (
  id   TEXT PRIMARY KEY,
  body BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE strategy (
  workspace TEXT NOT NULL,
  number    INTEGER NOT NULL,
  body      BLOB NOT NULL,
  model     BLOB,
  PRIMARY KEY (workspace, number)
);

CREATE TABLE current_strategy (
  workspace TEXT PRIMARY KEY,
  number    INTEGER NOT NULL
) WITHOUT ROWID;

-- Everything below is derived from the log, written behind it, and may be dropped:
-- the next start makes it again.
CREATE TABLE piece (
  name TEXT NOT NULL,
  part INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (name, part)
);

-- A piece is true up to its mark's position.
CREATE TABLE mark (
  name     TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) WITHOUT ROWID;

-- Profiles of people with a long history, up to a position.
CREATE TABLE checkpoint (
  keys     BLOB PRIMARY KEY,
  position INTEGER NOT NULL,
  events   INTEGER NOT NULL,
  body     BLOB NOT NULL
);

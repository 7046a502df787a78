-- What signals have fired. Made from the log, but what was done about it (state,
-- due, decision) stands only here, so a rebuild leaves it. Times are milliseconds
-- since 1970; cause is the log position as of which a row is true.
CREATE TABLE firing (
  number    INTEGER PRIMARY KEY AUTOINCREMENT,
  id        TEXT NOT NULL UNIQUE,
  workspace TEXT NOT NULL,
  person    TEXT NOT NULL,
  signal    TEXT NOT NULL,
  state     TEXT NOT NULL,
  at        INTEGER NOT NULL,
  found     INTEGER NOT NULL,
  due       INTEGER NOT NULL,
  cause     INTEGER NOT NULL,
  decision  TEXT NOT NULL,
  reason    TEXT NOT NULL,
  undone    BLOB,
  body      BLOB NOT NULL
);
CREATE INDEX firing_state ON firing (state, workspace, number);
CREATE INDEX firing_person ON firing (workspace, person, number);

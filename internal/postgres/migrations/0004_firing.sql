-- What signals have fired. Made from the log, but what was done about it (state,
-- due, decision) stands only here, so a rebuild leaves it. Times are milliseconds
-- since 1970; cause is the log position as of which a row is true. What a pack or a
-- customer named is bytes: text here cannot hold every string.
CREATE TABLE firing (
  number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id        text COLLATE "C" NOT NULL UNIQUE,
  workspace text COLLATE "C" NOT NULL,
  person    text COLLATE "C" NOT NULL,
  signal    text COLLATE "C" NOT NULL,
  state     text COLLATE "C" NOT NULL,
  at        bigint NOT NULL,
  found     bigint NOT NULL,
  due       bigint NOT NULL,
  cause     bigint NOT NULL,
  decision  text COLLATE "C" NOT NULL,
  reason    bytea NOT NULL,
  undone    uuid,
  body      bytea NOT NULL
);
CREATE INDEX firing_state ON firing (state, workspace, number);
CREATE INDEX firing_person ON firing (workspace, person, number);

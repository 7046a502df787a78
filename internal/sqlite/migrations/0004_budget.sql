-- What decisions hold of budgets and what customers took. state is held, spent,
-- returned or expired; until is in nanoseconds since 1970.
CREATE TABLE reservation (
  workspace TEXT NOT NULL,
  decision  TEXT NOT NULL,
  action    TEXT NOT NULL,
  budget    TEXT NOT NULL,
  amount    INTEGER NOT NULL,
  until     INTEGER NOT NULL,
  state     TEXT NOT NULL,
  PRIMARY KEY (workspace, decision, action, budget)
) WITHOUT ROWID;
CREATE INDEX reservation_held ON reservation (workspace, budget, until) WHERE state = 'held';

-- The sums of a budget's reservations, changed with them.
CREATE TABLE budget (
  workspace TEXT NOT NULL,
  id        TEXT NOT NULL,
  spent     INTEGER NOT NULL,
  held      INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID;

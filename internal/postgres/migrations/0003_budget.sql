-- What decisions hold of budgets and what customers took. state is held, spent,
-- returned or expired; until is in nanoseconds since 1970. Budgets' ids hold values
-- of facts, so they are bytes: text here cannot hold every string.
CREATE TABLE reservation (
  workspace text COLLATE "C" NOT NULL,
  decision  text COLLATE "C" NOT NULL,
  action    text COLLATE "C" NOT NULL,
  budget    bytea NOT NULL,
  amount    bigint NOT NULL,
  until     bigint NOT NULL,
  state     text COLLATE "C" NOT NULL,
  PRIMARY KEY (workspace, decision, action, budget)
);
CREATE INDEX reservation_held ON reservation (workspace, budget, until) WHERE state = 'held';

-- The sums of a budget's reservations, changed with them under the row's lock.
CREATE TABLE budget (
  workspace text COLLATE "C" NOT NULL,
  id        bytea NOT NULL,
  spent     bigint NOT NULL,
  held      bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);

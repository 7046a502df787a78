-- Whose turn it is: what only one node does at a time has a name, and each who begins
-- it a number, the next one. A change that was begun under a number is written only
-- while that is still the newest.
CREATE TABLE turn (
  name   text COLLATE "C" PRIMARY KEY,
  number bigint NOT NULL
);

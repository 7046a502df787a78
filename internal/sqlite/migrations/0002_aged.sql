-- Ids that deduplication no longer asks for, sorted, so that an old event still
-- opens by its ref. Derived from the log.
CREATE TABLE aged (
  generation INTEGER NOT NULL,
  first      BLOB NOT NULL,
  body       BLOB NOT NULL,
  PRIMARY KEY (generation, first)
);

-- Small documents kept beside the log (workspace.Paper): they may change and go.
CREATE TABLE paper (
  workspace TEXT NOT NULL,
  kind      TEXT NOT NULL,
  id        TEXT NOT NULL,
  body      BLOB NOT NULL,
  PRIMARY KEY (workspace, kind, id)
) WITHOUT ROWID;

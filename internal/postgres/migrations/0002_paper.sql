-- Small documents kept beside the log (workspace.Paper): they may change and go.
CREATE TABLE paper (
  workspace text COLLATE "C" NOT NULL,
  kind      text COLLATE "C" NOT NULL,
  id        text COLLATE "C" NOT NULL,
  body      bytea NOT NULL,
  PRIMARY KEY (workspace, kind, id)
);

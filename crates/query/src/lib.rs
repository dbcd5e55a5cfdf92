//! Answers questions over one snapshot: the PromQL engine, SQL, LogQL and trace search

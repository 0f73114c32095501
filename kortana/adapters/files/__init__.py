"""Files: the journal, the snapshots and the logs under data/."""

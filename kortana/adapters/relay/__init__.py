"""The legacy file mailboxes: agents that know only files take part."""

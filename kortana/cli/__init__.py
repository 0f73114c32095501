"""The `kortana` command: a file a command, over one control client. Imports stay lazy."""

"""Between processes: the hub that all connections end in, the client, and where they find each other."""

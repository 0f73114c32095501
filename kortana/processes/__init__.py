"""Owning OS processes: the launcher, what it forks, and how whole trees end. The POSIX-specific code."""

"""Adapters: one folder for each outside dependency."""

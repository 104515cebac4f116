"""Damage small files and see what the readers say; see ``tests.fuzz``."""

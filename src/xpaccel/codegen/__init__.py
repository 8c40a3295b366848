"""Printers: one loop program, a page of source a nest and language."""

"""Bytes to meaning and back: one file per dialect, the framings they share, and how each says no.

Pure: no network, no clock, no randomness, no policy. Dialects never import each other.
"""

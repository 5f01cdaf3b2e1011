"""Sections of docs/benchmarks.md, made from the data in docs/data."""

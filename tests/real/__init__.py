"""A week of API traffic made of real text and real tenant statistics, and what a scan must find in it."""

"""Suspects: models that are asked over HTTP, by a plan that is fixed first, into transcripts that can be read again."""

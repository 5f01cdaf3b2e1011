"""Prove: was this model trained on our outputs, and on which campaign's? Tests, each with a null of its own.

The tests are arithmetic on tokens, likelihoods and keys that are handed in: no model is loaded, no network is asked, no
clock is looked at. Only `suspects` asks models, and only `audit.tasks` has Inspect ask them. `stillwatch.records.claim`
holds what comes out.
"""

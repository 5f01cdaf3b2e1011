"""A hub: members compare notes without learning who the others are, and everything that was done is a leaf of a log.

What was done is a journal of entries; what holds now is what follows from them (`state`), and nothing else is kept.
What a member may do is decided by `rules`, what it may see by `view`. Carrying bytes is the servers' part (`server`
for the hub, `holder_server` for key holders); requests are signed (`signing`). Objects are served by the TAXII server
beside it.
"""

"""One file per log format; each ends in a `FORMAT`. `stillwatch.ingest.registry` lists them."""

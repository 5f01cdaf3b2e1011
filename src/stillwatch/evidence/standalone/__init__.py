"""The verifier that a package carries: one file, Python and ``cryptography`` alone; nothing of stillwatch."""

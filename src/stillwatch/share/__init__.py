"""What leaves for other laboratories and authorities, and what comes back: only what was chosen, and no more."""

"""The laboratory of real networks: small Llamas trained from scratch, and students of them; needs ``make torch``."""

"""What the private join adds to each member alone, whom it wrongs, and what a member who attacks it learns."""

"""Another week of real text, written without knowledge of how the scan works: other items, classes and recipes."""

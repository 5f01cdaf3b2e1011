"""The laboratory of a real language model: SmolLM2 as teacher, as students' base, and as the one who paraphrases."""

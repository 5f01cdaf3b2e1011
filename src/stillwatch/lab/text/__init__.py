"""Text grammars of the laboratory: voices, languages, instructions, payloads. All wording is the project's
own."""

"""stillwatch: find, stop and prove unauthorised industrial-scale distillation of language models."""

__version__ = "0.1.0"

__all__ = ["__version__"]

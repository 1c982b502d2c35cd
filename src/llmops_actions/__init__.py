"""The life of a prompt-flow application, one small step at a time: on a laptop, in GitHub Actions, in Azure."""

__version__ = "0.1.0"

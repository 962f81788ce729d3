"""The version of this package, as the wheel names it."""

__version__ = "0.1.0"

"""An offline checker: holds what producers did against what is stored and what watchers saw."""

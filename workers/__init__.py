"""The Celery side of the running system: the app and the operations it can run."""

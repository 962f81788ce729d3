"""What the worker's parent process does with a job's message when the process that ran it has died."""

from __future__ import annotations

from celery.utils.dispatch import Signal
from celery.worker.request import Request

went_back = Signal(name="went_back")
"""The message of a job went back to the queue unasked; sent with ``task_id``. Celery has no signal for this."""


class JobRequest(Request):
    """One message of a job, as the worker holds it."""

    def reject(self, requeue: bool = False) -> None:
        """Said before another worker can take it: the run that is over then is still the newest one."""
        if requeue:
            went_back.send(sender=self.task, task_id=self.id)
        super().reject(requeue)

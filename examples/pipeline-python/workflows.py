"""Fetch, split, compute on Golem, merge, publish."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Optional

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.workflow import (
    ActivityCancellationType,
    ChildWorkflowCancellationType,
    ParentClosePolicy,
)

with workflow.unsafe.imports_passed_through():
    import activities
    from merge import merge

# Runs in a VM for one part: `station,count,sum,min,max`, a line a station.
STATISTICS = r"""awk -F, -v OFS=, '
  $2 !~ /^-?[0-9]+$/ { print "not a reading: " $0 > "/dev/stderr"; failed = 1; exit 1 }
  { if (!n[$1]++) { min[$1] = max[$1] = $2 + 0 }
    sum[$1] += $2
    if ($2 < min[$1]) min[$1] = $2 + 0
    if ($2 > max[$1]) max[$1] = $2 + 0 }
  END { if (!failed) for (s in n) print s, n[s], sum[s], min[s], max[s] }' /golem/input/part.csv"""


@dataclass
class Order:
    source: str
    """URL of the readings: lines of `station,tenths of a degree`."""
    storage: str
    """URL of a storage that takes files by PUT. Providers read from it, too."""
    parts: int


@workflow.defn
class Pipeline:
    def __init__(self) -> None:
        self._progress: Optional[dict[str, Any]] = None

    @workflow.run
    async def run(self, order: Order) -> dict[str, Any]:
        folder = f"{order.storage}/{workflow.info().workflow_id}"
        snapshot = f"{folder}/source.csv"
        parts = [f"{folder}/part-{n + 1}.csv" for n in range(order.parts)]
        url = f"{folder}/report.json"
        try:
            await self._do(activities.fetch_source, order.source, snapshot)
            await self._do(activities.split, snapshot, parts)
            report = merge(await self._compute(parts))
            await self._do(activities.publish, report, url)
            return {**report, "url": url}
        finally:
            # Also when it is cancelled: then the job has ended by now, and nobody reads these any more.
            await self._do(activities.remove, [snapshot, *parts])

    # region compute
    async def _compute(self, parts: list[str]) -> list[str]:
        spec = {
            "image": "golem/alpine:latest",
            "budget": "1",
            "tasks": [
                {
                    "commands": [
                        {"transfer": {"from": part, "to": "/golem/input/part.csv"}},
                        STATISTICS,
                    ],
                    "timeoutSec": 600,
                }
                for part in parts
            ],
            "notify": {"signal": "golemProgress"},
        }
        job = await workflow.execute_child_workflow(
            "golemJob",
            spec,
            id=f"{workflow.info().workflow_id}-golem",
            task_queue="golem",
            result_type=dict[str, Any],
            # Cancelling the pipeline cancels the job, and waits until it has told its VMs to close.
            cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
        )
        return [_output(task) for task in job["tasks"]]

    @workflow.signal(name="golemProgress")
    def golem_progress(self, progress: dict[str, Any]) -> None:
        self._progress = progress

    @workflow.query
    def progress(self) -> Optional[dict[str, Any]]:
        return self._progress

    # endregion

    async def _do(self, activity: Any, *args: Any) -> None:
        await workflow.execute_activity(
            activity,
            args=args,
            start_to_close_timeout=timedelta(minutes=5),
            # When cancelled, what they have begun to write is written before the clean-up.
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )


def _output(task: dict[str, Any]) -> str:
    """What the second command of a task printed."""
    results = task["results"]
    if task["state"] == "done":
        return results[1]["stdout"] or ""
    message = task["failure"]["message"] if "failure" in task else task["state"]
    stderr = (results[-1]["stderr"] or "") if results else ""
    raise ApplicationError(
        f"{task['name']}: {message} {stderr}", type="ComputeFailed", non_retryable=True
    )

// Package pipeline fetches readings, splits them, computes on Golem, merges and publishes.
package pipeline

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// TaskQueue of the pipeline's own worker.
const TaskQueue = "pipeline-go"

// Order says what Pipeline is to do.
type Order struct {
	// Source is the URL of the readings: lines of `station,tenths of a degree`.
	Source string `json:"source"`
	// Storage is the URL of a storage that takes files by PUT. Providers read from it, too.
	Storage string `json:"storage"`
	Parts   int    `json:"parts"`
}

// Published is the report, and where it is.
type Published struct {
	Report
	URL string `json:"url"`
}

// Pipeline is the workflow.
func Pipeline(ctx workflow.Context, order Order) (*Published, error) {
	var progress JobProgress
	err := workflow.SetQueryHandler(ctx, "progress", func() (JobProgress, error) { return progress, nil })
	if err != nil {
		return nil, err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Minute,
		// When cancelled, what they have begun to write is written before the clean-up.
		WaitForCancellation: true,
	})
	folder := order.Storage + "/" + workflow.GetInfo(ctx).WorkflowExecution.ID
	snapshot := folder + "/source.csv"
	var parts []string
	for n := range order.Parts {
		parts = append(parts, fmt.Sprintf("%s/part-%d.csv", folder, n+1))
	}

	// Also when it is cancelled: then the job has ended by now, and nobody reads these any more.
	defer func() {
		cleanup, cancel := workflow.NewDisconnectedContext(ctx)
		defer cancel()
		err := workflow.ExecuteActivity(cleanup, Remove, append(parts, snapshot)).Get(cleanup, nil)
		if err != nil {
			workflow.GetLogger(ctx).Error("temporary files are left", "error", err)
		}
	}()

	if err := workflow.ExecuteActivity(ctx, FetchSource, order.Source, snapshot).Get(ctx, nil); err != nil {
		return nil, err
	}
	if err := workflow.ExecuteActivity(ctx, Split, snapshot, parts).Get(ctx, nil); err != nil {
		return nil, err
	}
	outputs, err := compute(ctx, parts, func(now JobProgress) { progress = now })
	if err != nil {
		return nil, err
	}
	report, err := Merge(outputs)
	if err != nil {
		return nil, err
	}
	published := &Published{Report: *report, URL: folder + "/report.json"}
	if err := workflow.ExecuteActivity(ctx, Publish, report, published.URL).Get(ctx, nil); err != nil {
		return nil, err
	}
	return published, nil
}

// statistics runs in a VM for one part: `station,count,sum,min,max`, a line a station.
const statistics = `awk -F, -v OFS=, '
  $2 !~ /^-?[0-9]+$/ { print "not a reading: " $0 > "/dev/stderr"; failed = 1; exit 1 }
  { if (!n[$1]++) { min[$1] = max[$1] = $2 + 0 }
    sum[$1] += $2
    if ($2 < min[$1]) min[$1] = $2 + 0
    if ($2 > max[$1]) max[$1] = $2 + 0 }
  END { if (!failed) for (s in n) print s, n[s], sum[s], min[s], max[s] }' /golem/input/part.csv`

// region compute

// compute runs a Golem job with a task for each part, and gives what they printed.
func compute(ctx workflow.Context, parts []string, onProgress func(JobProgress)) ([]string, error) {
	spec := JobSpec{
		Image:  "golem/alpine:latest",
		Budget: "1",
		Notify: Notify{Signal: "golemProgress"},
	}
	for _, part := range parts {
		fetch := TransferCommand{Transfer{From: part, To: "/golem/input/part.csv"}}
		spec.Tasks = append(spec.Tasks, Task{Commands: []any{fetch, statistics}, TimeoutSec: 600})
	}

	workflow.Go(ctx, func(ctx workflow.Context) {
		told := workflow.GetSignalChannel(ctx, "golemProgress")
		for {
			var progress JobProgress
			told.Receive(ctx, &progress)
			onProgress(progress)
		}
	})

	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-golem",
		TaskQueue:  "golem",
		// Cancelling the pipeline cancels the job, and waits until it has told its VMs to close.
		WaitForCancellation: true,
		ParentClosePolicy:   enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
	})
	var job JobResult
	if err := workflow.ExecuteChildWorkflow(ctx, "golemJob", spec).Get(ctx, &job); err != nil {
		return nil, err
	}
	var outputs []string
	for _, task := range job.Tasks {
		if task.State != "done" {
			return nil, temporal.NewNonRetryableApplicationError(task.problem(), "ComputeFailed", nil)
		}
		outputs = append(outputs, task.Results[1].Stdout)
	}
	return outputs, nil
}

// endregion

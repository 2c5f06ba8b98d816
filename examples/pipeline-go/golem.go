package pipeline

import "fmt"

// What of golem-temporal's JSON this pipeline uses; `golem-temporal schema job` prints the whole spec.

// JobSpec is the argument of golemJob.
type JobSpec struct {
	Image  string `json:"image"`
	Budget string `json:"budget"`
	Tasks  []Task `json:"tasks"`
	Notify Notify `json:"notify"`
}

// Task has commands that are shell lines (string) or a TransferCommand.
type Task struct {
	Commands   []any `json:"commands"`
	TimeoutSec int   `json:"timeoutSec"`
}

// TransferCommand copies a file.
type TransferCommand struct {
	Transfer Transfer `json:"transfer"`
}

// Transfer is from a URL to a path in the VM, or the other way round.
type Transfer struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Notify names the signal by which we are told of progress.
type Notify struct {
	Signal string `json:"signal"`
}

// JobProgress is what that signal carries.
type JobProgress struct {
	JobID string `json:"jobId"`
	Phase string `json:"phase"`
	Tasks struct {
		Total   int `json:"total"`
		Waiting int `json:"waiting"`
		Running int `json:"running"`
		Done    int `json:"done"`
		Failed  int `json:"failed"`
	} `json:"tasks"`
	Money struct {
		// Amounts of money are decimal strings.
		Accepted string `json:"accepted"`
	} `json:"money"`
}

// JobResult is what golemJob returns.
type JobResult struct {
	Tasks []TaskResult `json:"tasks"`
}

// TaskResult is how a task ended.
type TaskResult struct {
	Name    string          `json:"name"`
	State   string          `json:"state"`
	Results []CommandResult `json:"results"`
	Failure *struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"failure"`
}

// CommandResult has no output (null in JSON) where nothing was printed.
type CommandResult struct {
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
}

func (task TaskResult) problem() string {
	text := fmt.Sprintf("%s: %s", task.Name, task.State)
	if task.Failure != nil {
		text = fmt.Sprintf("%s: %s", task.Name, task.Failure.Message)
	}
	if last := len(task.Results) - 1; last >= 0 {
		text += " " + task.Results[last].Stderr
	}
	return text
}

// Starts the pipeline and waits for its report: `go run ./start SOURCE STORAGE`.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"os"

	"example.org/pipeline"
	"github.com/google/uuid"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatalln("usage: start SOURCE STORAGE")
	}
	clientOptions := envconfig.MustLoadDefaultClientOptions()
	// The default logger writes to standard output, where the report goes.
	warnings := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})
	clientOptions.Logger = sdklog.NewStructuredLogger(slog.New(warnings))
	c, err := client.Dial(clientOptions)
	if err != nil {
		log.Fatalln("no Temporal:", err)
	}
	defer c.Close()

	ctx := context.Background()
	options := client.StartWorkflowOptions{ID: "pipeline-" + uuid.NewString(), TaskQueue: pipeline.TaskQueue}
	order := pipeline.Order{Source: os.Args[1], Storage: os.Args[2], Parts: 8}
	run, err := c.ExecuteWorkflow(ctx, options, pipeline.Pipeline, order)
	if err != nil {
		log.Fatalln("cannot start:", err)
	}
	fmt.Fprintln(os.Stderr, "started", run.GetID())

	var result pipeline.Published
	if err := run.Get(ctx, &result); err != nil {
		log.Fatalln(err)
	}
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		log.Fatalln(err)
	}
	fmt.Println(string(text))
}

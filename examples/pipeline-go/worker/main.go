// The pipeline's own worker. It needs neither yagna nor a key: the job runs on `golem-temporal worker`.
package main

import (
	"log"

	"example.org/pipeline"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/worker"
)

func main() {
	c, err := client.Dial(envconfig.MustLoadDefaultClientOptions())
	if err != nil {
		log.Fatalln("no Temporal:", err)
	}
	defer c.Close()

	w := worker.New(c, pipeline.TaskQueue, worker.Options{})
	w.RegisterWorkflow(pipeline.Pipeline)
	w.RegisterActivity(pipeline.FetchSource)
	w.RegisterActivity(pipeline.Split)
	w.RegisterActivity(pipeline.Publish)
	w.RegisterActivity(pipeline.Remove)
	if err := w.Run(worker.InterruptCh()); err != nil {
		log.Fatalln("the worker failed:", err)
	}
}

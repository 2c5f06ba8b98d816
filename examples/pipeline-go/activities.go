package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"go.temporal.io/sdk/temporal"
)

// Activities move files between the source, the storage and our own disk; none of them passes through Temporal.

// FetchSource copies the source, so that what it is later does not matter.
func FetchSource(ctx context.Context, source, snapshot string) error {
	content, err := request(ctx, http.MethodGet, source, nil)
	if err != nil {
		return err
	}
	return put(ctx, snapshot, content)
}

// Split deals the lines of a file out to the parts.
func Split(ctx context.Context, snapshot string, parts []string) error {
	content, err := request(ctx, http.MethodGet, snapshot, nil)
	if err != nil {
		return err
	}
	texts := make([]bytes.Buffer, len(parts))
	for i, line := range bytes.Split(bytes.TrimSpace(content), []byte("\n")) {
		text := &texts[i%len(parts)]
		text.Write(line)
		text.WriteByte('\n')
	}
	for i, url := range parts {
		if err := put(ctx, url, texts[i].Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// Publish writes the report.
func Publish(ctx context.Context, report Report, url string) error {
	content, err := json.Marshal(report)
	if err != nil {
		return err
	}
	return put(ctx, url, content)
}

// Remove deletes files; that one is gone already is fine.
func Remove(ctx context.Context, urls []string) error {
	for _, url := range urls {
		if _, err := request(ctx, http.MethodDelete, url, nil, http.StatusNotFound); err != nil {
			return err
		}
	}
	return nil
}

func put(ctx context.Context, url string, content []byte) error {
	_, err := request(ctx, http.MethodPut, url, content)
	return err
}

// request returns an error that is not retried where trying again cannot change the answer.
func request(ctx context.Context, method, url string, body []byte, alsoFine ...int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, temporal.NewNonRetryableApplicationError(err.Error(), "StorageRefused", err)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode < 300 || slices.Contains(alsoFine, response.StatusCode) {
		return content, nil
	}
	message := fmt.Sprintf("%s %s: %d %s", method, url, response.StatusCode, content)
	if response.StatusCode < 500 {
		return nil, temporal.NewNonRetryableApplicationError(message, "StorageRefused", nil)
	}
	return nil, temporal.NewApplicationError(message, "StorageRefused")
}

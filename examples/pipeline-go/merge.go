package pipeline

import (
	"fmt"
	"strings"
)

// Station is in degrees.
type Station struct {
	Count int     `json:"count"`
	Min   float64 `json:"min"`
	Mean  float64 `json:"mean"`
	Max   float64 `json:"max"`
}

// Report is what all parts come to.
type Report struct {
	Readings int                `json:"readings"`
	Stations map[string]Station `json:"stations"`
}

// Merge takes lines of `station,count,sum,min,max`, the last three in tenths of a degree.
func Merge(outputs []string) (*Report, error) {
	type total struct{ count, sum, min, max int }
	totals := map[string]total{}
	report := &Report{Stations: map[string]Station{}}
	lines := strings.FieldsFunc(strings.Join(outputs, ""), func(r rune) bool { return r == '\n' })
	for _, line := range lines {
		station, numbers, _ := strings.Cut(line, ",")
		var part total
		_, err := fmt.Sscanf(numbers, "%d,%d,%d,%d", &part.count, &part.sum, &part.min, &part.max)
		if err != nil {
			return nil, fmt.Errorf("a VM printed %q: %w", line, err)
		}
		report.Readings += part.count
		if before, ok := totals[station]; ok {
			part.count += before.count
			part.sum += before.sum
			part.min = min(part.min, before.min)
			part.max = max(part.max, before.max)
		}
		totals[station] = part
	}
	for station, t := range totals {
		report.Stations[station] = Station{
			Count: t.count,
			Min:   float64(t.min) / 10,
			Mean:  float64(t.sum) / float64(t.count) / 10,
			Max:   float64(t.max) / 10,
		}
	}
	return report, nil
}

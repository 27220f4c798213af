package lasting

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestLog: what comes up twice a second for a day is logged at growing intervals, and its count is complete.
func TestLog(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	var c Condition
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	var at []time.Duration
	const day = 24 * time.Hour
	for d := time.Duration(0); d < day; d += time.Second / 2 {
		if c.Log(start.Add(d), log, slog.LevelWarn, "broken", "err", "loose wire") {
			at = append(at, d)
		}
	}
	want := []time.Duration{0, time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute, 31 * time.Minute, 63 * time.Minute, 123 * time.Minute}
	if len(at) != 29 || fmt.Sprint(at[:len(want)]) != fmt.Sprint(want) {
		t.Errorf("%d lines, at %v", len(at), at)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if strings.Contains(lines[0], "times") || !strings.HasSuffix(lines[1], "err=\"loose wire\" times=120") {
		t.Errorf("%s\n%s", lines[0], lines[1])
	}
	// When it was away for an hour, it is news.
	for n := range 3 {
		if logged := c.Log(start.Add(day+90*time.Minute+time.Duration(n)*time.Second), log, slog.LevelWarn, "broken"); logged != (n == 0) {
			t.Errorf("time %d after a pause: logged %v", n, logged)
		}
	}
}

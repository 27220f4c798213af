// Package lasting logs what lasts, such as a broken radio or a full disk, without filling the log: at once, then at growing intervals,
// with how often it has come up meanwhile.
package lasting

import (
	"context"
	"log/slog"
	"time"
)

// The pauses between two lines grow from the first to the last by doubling. What has not come up for the last is over: it is logged at
// once when it comes up again.
const (
	FirstPause = time.Minute
	LastPause  = time.Hour
)

// A Condition is something that lasts or comes again. The zero value has not come up. It belongs to one goroutine.
type Condition struct {
	seen  time.Time // when it came up last
	next  time.Time // when to log it again
	pause time.Duration
	times int // that it has come up since it was logged
}

// Log says that the condition has come up, and logs it if it is time to, with the attribute times if that is not 1. It reports
// whether it did.
func (c *Condition) Log(now time.Time, log *slog.Logger, level slog.Level, message string, args ...any) bool {
	if c.seen.IsZero() || now.Sub(c.seen) >= LastPause {
		*c = Condition{next: now, pause: FirstPause}
	}
	c.seen = now
	c.times++
	if now.Before(c.next) {
		return false
	}
	if c.times > 1 {
		args = append(args[:len(args):len(args)], "times", c.times)
	}
	log.Log(context.Background(), level, message, args...)
	c.times, c.next = 0, now.Add(c.pause)
	c.pause = min(2*c.pause, LastPause)
	return true
}

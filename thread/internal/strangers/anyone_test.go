package strangers

import (
	"testing"
	"time"
)

// Requests that anybody can make up are answered at once now and then, and for half a percent of the time at most when they never end.
func TestAnyone(t *testing.T) {
	_, c := newAnswers()
	a := NewAnyone(c, frame)
	answers := 0
	const hour = 3600
	for range hour {
		if a.Allow() {
			answers++
		}
		c.Advance(c.Now.Add(time.Second))
	}
	if want := anyoneBurst + hour/anyoneEvery; answers < want-1 || answers > want {
		t.Errorf("%d answers, want %d", answers, want)
	}
	c.Advance(c.Now.Add(time.Hour))
	if !a.Allow() {
		t.Error("not answered after an hour of rest")
	}
}

package lora

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func TestErrors(t *testing.T) {
	if !errors.Is(ErrClosed, net.ErrClosed) {
		t.Error("ErrClosed is not net.ErrClosed")
	}
	fault := error(&Error{Op: "open", Reg: "RegVersion", Err: io.ErrUnexpectedEOF})
	if got, want := fault.Error(), "lora: open: RegVersion: unexpected EOF"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(fault, io.ErrUnexpectedEOF) {
		t.Error("Error does not unwrap")
	}
	if got, want := (&Error{Op: "reset", Err: io.EOF}).Error(), "lora: reset: EOF"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

type plainRadio struct{}

func (plainRadio) Config() Config                                     { return Config{} }
func (plainRadio) Send(context.Context, []byte) error                 { return nil }
func (plainRadio) Receive(context.Context, []byte) (Reception, error) { return Reception{}, nil }
func (plainRadio) Close() error                                       { return nil }

type clockedRadio struct{ plainRadio }

func (clockedRadio) Clock() Clock { return frozen{} }

type frozen struct{}

func (frozen) Now() time.Time                  { return time.Time{} }
func (frozen) Until(t time.Time) time.Duration { return time.Hour }

func TestClockOf(t *testing.T) {
	if got := ClockOf(clockedRadio{}); got != (frozen{}) {
		t.Errorf("the radio's own clock was not taken: %T", got)
	}
	clock := ClockOf(plainRadio{})
	before := time.Now()
	if now := clock.Now(); now.Before(before) || now.After(time.Now()) {
		t.Errorf("wall clock says %v", now)
	}
	if d := clock.Until(time.Now().Add(time.Hour)); d <= 59*time.Minute || d > time.Hour {
		t.Errorf("an hour from now is %v away", d)
	}
}

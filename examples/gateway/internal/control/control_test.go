package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestControl(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	run := func(_ context.Context, command string) (string, error) {
		if command == "bad" {
			return "", errors.New("Error 7: InvalidArgs")
		}
		return strings.ToUpper(command) + "\r\n", nil
	}
	s, err := Start(context.Background(), path, run)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(context.Background(), path, run); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("twice: %v", err)
	}
	var wg sync.WaitGroup
	for range 8 { // several at once
		wg.Go(func() {
			if out, err := Ask(context.Background(), path, "state"); err != nil || out != "STATE\n" {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
	wg.Wait()
	if _, err := Ask(context.Background(), path, "bad"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "InvalidArgs") {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Ask(context.Background(), path, "state"); err == nil {
		t.Error("it answers after Close")
	}
}

// FuzzLines has clients say anything: each line that is a command has one end of an answer.
func FuzzLines(f *testing.F) {
	f.Add([]byte("state\nneighbor table\r\n\n"))
	f.Add([]byte("text 0005 hello\x00\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		commands := 0
		s := &Server{run: func(_ context.Context, command string) (string, error) {
			if commands++; command == "" || len(command) > maxLine || strings.Contains(command, "\n") {
				t.Errorf("command %q", command)
			}
			return "", nil
		}}
		var out bytes.Buffer
		s.converse(context.Background(), struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(b), &out})
		if got, want := out.String(), strings.Repeat("Done\r\n", commands); got != want {
			t.Errorf("%d commands: %q", commands, got)
		}
	})
}

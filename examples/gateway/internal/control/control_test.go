package control

import (
	"context"
	"errors"
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

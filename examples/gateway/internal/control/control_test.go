package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
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
	conversation(t, path)
	strangers(t, path)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Ask(context.Background(), path, "state"); err == nil {
		t.Error("it answers after Close")
	}
}

// conversation has several commands of one client answered, and those that are no command refused.
func conversation(t *testing.T, path string) {
	c, err := Dial(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, command := range []string{"one", "two", strings.Repeat("x", maxLine-2)} {
		if out, err := c.Ask(command); err != nil || out != strings.ToUpper(command)+"\n" {
			t.Errorf("%.10q: %.10q, %v", command, out, err)
		}
	}
	for command, want := range map[string]string{"a\nb": "one line", strings.Repeat("x", 1<<20): "at most", "bad": "InvalidArgs"} {
		if _, err := c.Ask(command); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.10q: %v", command, err)
		}
	}
}

// strangers say a megabyte without an end of a line, by no client of ours: they are told, and nobody else is disturbed.
func strangers(t *testing.T, path string) {
	for _, size := range []int{maxLine, 1 << 20} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = c.Write(bytes.Repeat([]byte{'x'}, size)) }()
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "Error 7: InvalidArgs") {
			t.Errorf("%d bytes: %q, %v", size, line, err)
		}
		_ = c.Close()
	}
	if out, err := Ask(context.Background(), path, "state"); err != nil || out != "STATE\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestPlaces: where there can be no socket, and where somebody else has something.
func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	file, left := filepath.Join(dir, "file"), filepath.Join(dir, "left")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(context.Context, string) (string, error) { return "", nil }
	for path, want := range map[string]string{
		file: "in use", filepath.Join(dir, "nowhere", "s"): "no such file", filepath.Join(dir, strings.Repeat("x", 120)): "at most 107 bytes",
	} {
		if s, err := Start(context.Background(), path, run); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
			if s != nil {
				_ = s.Close()
			}
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("%q, %v", b, err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	s, err := Start(context.Background(), left, run)
	if err != nil {
		t.Fatalf("one that a crash has left: %v", err)
	}
	_ = s.Close()
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
		got := out.String()
		if at := strings.LastIndex(got, "Error 7"); at >= 0 { // of a line that is too long, the last
			got = got[:at]
		}
		if want := strings.Repeat("Done\r\n", commands); got != want {
			t.Errorf("%d commands: %q", commands, got)
		}
	})
}

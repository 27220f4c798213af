package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
)

// keyFlags name the network key: one on the command line goes before another in the file.
var keyFlags = []string{"key", "key-file", "default-key"}

// readConfig sets the flags that a file names and the command line does not.
func readConfig(flags *flag.FlagSet, name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("-config: %w", err)
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if slices.ContainsFunc(keyFlags, func(k string) bool { return given[k] }) {
		for _, k := range keyFlags {
			given[k] = true
		}
	}
	at, err := setAll(flags, blankComments(b), given)
	if err != nil {
		line, column := position(b, at)
		return fmt.Errorf("%s:%d:%d: %w", name, line, column, err)
	}
	return nil
}

// setAll sets flags by the members of a JSON object. With an error it returns where that is.
func setAll(flags *flag.FlagSet, b []byte, given map[string]bool) (at int64, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return offsetOf(d, err), fmt.Errorf("an object is expected, such as {\"board\": \"dragino\"}%s", because(err))
	}
	seen := map[string]bool{}
	for d.More() {
		at := next(b, d.InputOffset())
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return offsetOf(d, err), fmt.Errorf("the name of a flag is expected, in quotes%s", because(err))
		}
		f := flags.Lookup(key)
		if f == nil || key == "config" || key == "check" || key == "version" {
			return at, fmt.Errorf("there is no %q", key)
		}
		if seen[key] {
			return at, fmt.Errorf("%q stands there twice", key)
		}
		seen[key] = true
		at = next(b, d.InputOffset())
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return at, fmt.Errorf("%s: %w", key, err)
		}
		if given[key] {
			continue
		}
		text := string(raw)
		if raw[0] == '"' {
			if err := json.Unmarshal(raw, &text); err != nil {
				return at, fmt.Errorf("%s: %w", key, err)
			}
		}
		if err := flags.Set(key, text); err != nil {
			return at, fmt.Errorf("%s %s: %w", key, raw, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return offsetOf(d, err), fmt.Errorf("the object does not end%s", because(err))
	}
	if _, err := d.Token(); err != io.EOF {
		return d.InputOffset(), fmt.Errorf("something follows the object%s", because(err))
	}
	return 0, nil
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// offsetOf is where an error of a decoder is.
func offsetOf(d *json.Decoder, err error) int64 {
	if e, ok := err.(*json.SyntaxError); ok {
		return max(e.Offset-1, 0)
	}
	return d.InputOffset()
}

// next is where the next token begins.
func next(b []byte, at int64) int64 {
	for int(at) < len(b) && bytes.IndexByte([]byte(" \t\r\n,:"), b[at]) >= 0 {
		at++
	}
	return at
}

// position is the line and column, from 1, of a byte.
func position(b []byte, at int64) (line, column int) {
	before := b[:min(int(at), len(b))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

// blankComments returns JSON without its comments, // to the end of the line and /* */, for which there are spaces.
func blankComments(b []byte) []byte {
	out := slices.Clone(b)
	for i := 0; i < len(b); {
		switch rest := b[i:]; {
		case rest[0] == '"':
			i += quoted(rest)
		case bytes.HasPrefix(rest, []byte("//")):
			i += blank(out[i:], bytes.IndexByte(rest, '\n'))
		case bytes.HasPrefix(rest, []byte("/*")):
			end := bytes.Index(rest[2:], []byte("*/"))
			if end >= 0 {
				end += 4
			}
			i += blank(out[i:], end)
		default:
			i++
		}
	}
	return out
}

// quoted is the length of the string that b begins with.
func quoted(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"', '\n':
			return i + 1
		}
	}
	return len(b)
}

// blank fills n bytes with spaces, all if n is negative, but for line ends.
func blank(b []byte, n int) int {
	if n < 0 {
		n = len(b)
	}
	for i := range b[:n] {
		if b[i] != '\n' {
			b[i] = ' '
		}
	}
	return n
}

package filestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
)

// A file is JSON, in this form to the byte:
//
//	{"format":"pymesh-store","version":2,"sha256":"HEX","content":
//	CONTENT
//	}
//
// HEX is the SHA-256 of CONTENT, 64 lower-case digits. In CONTENT fields are named as in Go, and bytes are in hexadecimal. A field that is
// not there is zero: it is of a later time than the file. One that is not known is left out: it is of a later time than the reader. So
// fields may be added; the version changes when a reader that does not know one would do harm.
//
// Version 1 was that of the example programs before there was this package: {"Version":1,"Settings":{…}}, bytes as lists of
// numbers, no checksum. It is read, and replaced by the present version with the next Save.
const version = 2

const (
	kindSettings = "pymesh-store"
	kindAirtime  = "pymesh-airtime"
)

// wrap appends a file with the given content.
func wrap(b []byte, kind string, content any) ([]byte, error) {
	inner, err := json.MarshalIndent(content, "", "\t")
	if err != nil {
		return b, err
	}
	b = fmt.Appendf(b, "{\"format\":%q,\"version\":%d,\"sha256\":\"%x\",\"content\":\n", kind, version, sha256.Sum256(inner))
	return append(append(b, inner...), "\n}\n"...), nil
}

// unwrap returns the content of a file of the present version.
func unwrap(b []byte, kind string) (content []byte, err error) {
	foreign := fmt.Errorf("it is no %s file: %w", kind, ErrDamaged)
	rest, ok := bytes.CutPrefix(b, fmt.Appendf(nil, "{\"format\":%q,\"version\":", kind))
	if !ok {
		return nil, foreign
	}
	number, rest, ok := bytes.Cut(rest, []byte(`,"sha256":"`))
	v, err := strconv.Atoi(string(number))
	if !ok || err != nil || v <= 0 {
		return nil, foreign
	}
	if v > version {
		return nil, fmt.Errorf("it was written by a later version of pymesh, in format %d, and this one knows up to %d: use that version, "+
			"whose frame counters must not be used again", v, version)
	}
	sum, rest, ok := bytes.Cut(rest, []byte("\",\"content\":\n"))
	content, end := bytes.CutSuffix(rest, []byte("\n}\n"))
	if !ok || !end {
		return nil, fmt.Errorf("it is cut short: %w", ErrDamaged)
	}
	want := sha256.Sum256(content)
	if v != version || string(sum) != hex.EncodeToString(want[:]) {
		return nil, fmt.Errorf("its checksum is wrong: %w", ErrDamaged)
	}
	return content, nil
}

// append appends the file of a generation.
func (g generation) append(b []byte) ([]byte, error) {
	settings, err := encode(reflect.ValueOf(&g.settings).Elem())
	if err != nil {
		return b, fmt.Errorf("settings: %w", err)
	}
	return wrap(b, kindSettings, struct {
		Generation uint64
		Settings   any
	}{g.number, settings})
}

// parseGeneration parses the file of a generation, of this version or of the one before.
func parseGeneration(b []byte) (g generation, err error) {
	if s, ok := parseVersion1(b); ok {
		return generation{settings: s}, nil
	}
	content, err := unwrap(b, kindSettings)
	if err != nil {
		return g, err
	}
	var c struct {
		Generation uint64
		Settings   any
	}
	if err := unmarshal(content, &c); err != nil {
		return g, err
	}
	if err := decode(c.Settings, reflect.ValueOf(&g.settings).Elem(), "Settings"); err != nil {
		return generation{}, fmt.Errorf("%w: %w", err, ErrDamaged)
	}
	if g.settings.Role > thread.RoleLeader {
		return generation{}, fmt.Errorf("Settings.Role is %d: %w", g.settings.Role, ErrDamaged)
	}
	g.number = c.Generation
	return g, nil
}

// AppendSettings appends settings in the form of a file to b.
func AppendSettings(b []byte, s thread.Settings) ([]byte, error) {
	return generation{settings: s}.append(b)
}

// ParseSettings parses what AppendSettings has appended, or a file of this or an earlier version.
func ParseSettings(b []byte) (thread.Settings, error) {
	g, err := parseGeneration(b)
	return g.settings, err
}

// unmarshal parses JSON, with numbers as they stand.
func unmarshal(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", err, ErrDamaged)
	}
	if d.InputOffset() != int64(len(b)) {
		return fmt.Errorf("something follows the content: %w", ErrDamaged)
	}
	return nil
}

// parseVersion1 parses settings as the example programs wrote them.
func parseVersion1(b []byte) (thread.Settings, bool) {
	var c struct {
		Version  int
		Settings *thread.Settings
	}
	if json.Unmarshal(b, &c) != nil || c.Version != 1 || c.Settings == nil || c.Settings.Role > thread.RoleLeader {
		return thread.Settings{}, false
	}
	return *c.Settings, true
}

func appendAirtime(b []byte, sent []lora.SentAirtime) ([]byte, error) {
	return wrap(b, kindAirtime, struct{ Sent []lora.SentAirtime }{sent})
}

func parseAirtime(b []byte) ([]lora.SentAirtime, error) {
	var c struct {
		Version int // of version 1
		Sent    []lora.SentAirtime
	}
	if json.Unmarshal(b, &c) == nil && c.Version == 1 {
		return c.Sent, nil
	}
	content, err := unwrap(b, kindAirtime)
	if err != nil {
		return nil, err
	}
	if err := unmarshal(content, &c); err != nil {
		return nil, err
	}
	return c.Sent, nil
}

var errKind = errors.New("a file cannot hold")

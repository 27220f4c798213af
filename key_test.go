package pymesh_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh"
)

func TestParseKey(t *testing.T) {
	const full = "0134c0de1ab51234c0de1ab5ca1a110f"
	for s, want := range map[string]string{
		full:                                 full,
		"0x" + full:                          full,
		" 0X" + strings.ToUpper(full) + "\n": full,
		"01 34 c0 de 1a b5 12 34 c0 de 1a b5 ca 1a 11 0f": full,
		"01:34:c0:de:1a:b5:12:34-c0:de:1a:b5:ca:1a:11:0f": full,
		"0134c0de 1ab51234\r\nc0de1ab5 ca1a110f\r\n":      full,
		"112233": "11223300000000000000000000000000",
	} {
		if k, err := pymesh.ParseKey(s); err != nil || k.Hex() != want {
			t.Errorf("%q: %s, %v", s, k.Hex(), err)
		}
	}
	for s, want := range map[string]string{
		"": "0 bytes", "0x": "0 bytes", " \n": "0 bytes", full + "00": "17 bytes", "123": "odd number", "1 2": "odd number",
		"secret": "something else", "0x0x11": "something else", "00": "zeros alone", "11,22": "something else",
	} {
		k, err := pymesh.ParseKey(s)
		if err == nil || !strings.Contains(err.Error(), want) || !k.IsZero() {
			t.Errorf("%q: %v, want %s", s, err, want)
		}
		if err != nil && len(s) > 5 && strings.Contains(err.Error(), s) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"112233", "0x0134c0de1ab51234c0de1ab5ca1a110f", "01:02", "1", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := pymesh.ParseKey(s)
		if (err == nil) == k.IsZero() {
			t.Errorf("%v, %v", k.IsZero(), err)
		}
		if again, err2 := pymesh.ParseKey(k.Hex()); err == nil && (err2 != nil || again != k) {
			t.Errorf("%s becomes %s", k.Hex(), again.Hex())
		}
	})
}

// TestKeysHide: nothing prints a key but Hex.
func TestKeysHide(t *testing.T) {
	k := pymesh.NewKey()
	if k == pymesh.NewKey() || k.IsZero() {
		t.Error("no random key")
	}
	var out bytes.Buffer
	change := pymesh.NetworkChange{Key: k}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+verb, k, &k, []pymesh.Key{k}, change)
	}
	fmt.Fprintln(&out, k.String(), k)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", k, "change", change)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", k, "keys", []pymesh.Key{k})
	if b, err := json.Marshal(change); err != nil {
		t.Error(err)
	} else {
		out.Write(b)
	}
	text := strings.ToLower(out.String())
	for _, secret := range []string{k.Hex()[:8], k.Hex()[24:], fmt.Sprint(k.Hex()[0:2], " ", k.Hex()[2:4])} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in\n%s", secret, text)
		}
	}
}

func TestDefaultKeys(t *testing.T) {
	if got := pymesh.DefaultKey().Hex(); got != "0134c0de1ab51234c0de1ab5ca1a110f" {
		t.Errorf("DefaultKey is %s", got)
	}
	if got := pymesh.FirmwareDefaultKey().Hex(); got != "1234c0de1ab51234c0de1ab5ca1a110f" {
		t.Errorf("FirmwareDefaultKey is %s", got)
	}
}

package main

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// TestNoSecrets: neither the key nor the token is in what the page, Prometheus, the broker or the log get.
func TestNoSecrets(t *testing.T) {
	const key, token = "00112233445566778899aabbccddeeff", "open-sesame-token"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	var logged output
	log := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	radio := lorasim.NewAir(lorasim.Options{Speed: 50}).Radio(lora.Config{}, lorasim.Position{})
	node, err := pymesh.New(radio, pymesh.WithKey(pymesh.MustParseKey(key)), pymesh.WithLogger(log))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	cfg := defaults()
	cfg.Web.Listen, cfg.Web.TokenFile = "127.0.0.1:0", file
	g, err := newGateway(t.Context(), cfg, node, radio, log)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	if err := node.WaitAttached(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.show()
	g.happened("mesh", "something")
	info, err := json.Marshal(g.info())
	if err != nil {
		t.Fatal(err)
	}
	said := string(info)
	client := &http.Client{Timeout: 10 * time.Second}
	for _, path := range []string{"/", "/page.js", "/join.js", "/api/state", "/api/joiners", "/metrics", "/nowhere"} {
		r, err := client.Get("http://" + g.web.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		said += string(b)
	}
	r, err := client.Get("http://" + g.web.Addr() + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		said += lines.Text()
		if strings.HasPrefix(lines.Text(), "data:") {
			break
		}
	}
	if !strings.Contains(said, "pymesh_build_info") || !strings.Contains(said, macText(node.MAC())) {
		t.Errorf("there are no answers: %s", said)
	}
	for _, secret := range []string{key, strings.ToUpper(key), token, key[:16], key[16:]} {
		if strings.Contains(said, secret) || strings.Contains(logged.String(), secret) {
			t.Errorf("%s is told", secret)
		}
	}
}

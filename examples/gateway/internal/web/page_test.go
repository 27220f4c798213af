package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/gopymesh/pymesh/examples/gateway/internal/view"
)

type nobody struct{}

func (nobody) Ping(_ context.Context, node string) (string, error) { return node + ": 320ms", nil }
func (nobody) Text(_ context.Context, node, text string) (string, error) {
	return node + " has " + text, nil
}
func (nobody) Trace(context.Context, string) (string, error) { return "", errors.New("no way") }

// fieldOf is a mesh of n nodes in a row of cells.
func fieldOf(n int) (nodes []view.Node, links []view.Link) {
	id := func(i int) string { return fmt.Sprintf("%016x", i+1) }
	for i := range n {
		nodes = append(nodes, view.Node{ID: id(i), RLOC16: fmt.Sprintf("%04x", i<<10), Role: "router", Self: i == 0, Heard: time.Now().UnixMilli(), Alive: true})
		if i > 0 {
			links = append(links, view.Link{A: id(i - 1), B: id(i), AB: 3, BA: i % 4})
		}
	}
	return nodes, links
}

func start(t *testing.T, v *view.View, listen string) *Server {
	t.Helper()
	s, err := Start(v, nobody{}, Options{Listen: listen})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// browser opens a headless Chromium, or skips the test where there is none.
func browser(t *testing.T) (ctx context.Context, problems func() []string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("skipped: no chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true),
		chromedp.WSURLReadTimeout(2*time.Minute))
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	ctx, cancelTime := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(func() { cancelTime(); cancel(); cancelAllocator() })
	var mu sync.Mutex
	var seen []string
	err = chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			what := ev.ExceptionDetails.Text
			if e := ev.ExceptionDetails.Exception; e != nil && e.Description != "" {
				what = e.Description
			}
			seen = append(seen, what)
		case *runtime.EventConsoleAPICalled:
			if string(ev.Type) == "error" {
				seen = append(seen, "console error")
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, func() []string { mu.Lock(); defer mu.Unlock(); return seen }
}

func until(t *testing.T, ctx context.Context, what, expression string) {
	t.Helper()
	poll := chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(time.Minute), chromedp.WithPollingInterval(50*time.Millisecond))
	if _, err := chromedp.Run(ctx, poll); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// TestPage looks at the page with a browser.
func TestPage(t *testing.T) {
	ctx, problems := browser(t)
	v := view.New()
	nodes, links := fieldOf(12)
	v.SetMesh(nodes, links)
	s := start(t, v, "127.0.0.1:0")
	if _, err := chromedp.Run(ctx, chromedp.Steps(chromedp.EmulateViewport(1200, 900), chromedp.Navigate("http://"+s.Addr()+"/"))); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "all nodes are on the map", `document.querySelectorAll('.node').length === 12 && document.querySelectorAll('.link').length === 11`)
	nodes[3].Alive = false
	v.SetMesh(nodes, links)
	until(t, ctx, "a node that dies turns grey", `document.querySelectorAll('.node.dead').length === 1`)
	until(t, ctx, "it is chosen from the keyboard", `(() => { const n = document.querySelectorAll('.node')[5]; if (!document.querySelector('.chosen')) { n.focus();
		n.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true })); } return document.querySelector('#node dl') !== null; })()`)
	until(t, ctx, "it is pinged", `(() => { const b = document.querySelector('#node button'); if (!window.asked) { window.asked = true; b.click(); }
		return document.querySelector('#node pre').textContent.includes('320ms'); })()`)
	until(t, ctx, "it gets a text", `(() => { const f = document.querySelector('#node form'); if (!window.texted) { window.texted = true; f.querySelector('input').value = 'hello <b>you</b>';
		f.requestSubmit(); } return document.querySelector('#node pre').textContent.includes('has hello <b>you</b>'); })()`)
	shot(t, ctx, "map.png")

	address := s.Addr()
	_ = s.Close()
	until(t, ctx, "it says that the gateway is gone", `document.getElementById('status').textContent.includes('no connection')`)
	nodes, links = fieldOf(5)
	v.SetMesh(nodes, links)
	start(t, v, address)
	until(t, ctx, "it is there again, with what is there now", `document.querySelectorAll('.node').length === 5`)
	if _, err := chromedp.Run(ctx, chromedp.EmulateViewport(390, 800)); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "it fits a phone", `document.documentElement.scrollWidth <= 390`)
	shot(t, ctx, "phone.png")
	if p := problems(); len(p) > 0 {
		t.Errorf("%d problems, the first %s", len(p), p[0])
	}
}

// TestManyNodes measures how fast 200 nodes move.
func TestManyNodes(t *testing.T) {
	ctx, problems := browser(t)
	v := view.New()
	nodes, links := fieldOf(200)
	v.SetMesh(nodes, links)
	s := start(t, v, "127.0.0.1:0")
	if _, err := chromedp.Run(ctx, chromedp.Navigate("http://"+s.Addr()+"/")); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "all nodes are on the map", `document.querySelectorAll('.node').length === 200`)
	frames, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`new Promise((done) => { let n = 0; const t0 = performance.now(); const step = () => { n++;
			if (performance.now() - t0 > 2000) done(n / 2); else requestAnimationFrame(step); }; step(); })`,
		func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f frames a second", frames)
	if p := problems(); len(p) > 0 {
		t.Errorf("%d problems, the first %s", len(p), p[0])
	}
}

// shot keeps a picture where PYMESH_SCREENSHOTS says.
func shot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	b, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Error(err)
		return
	}
	if dir := os.Getenv("PYMESH_SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Error(err)
		}
	}
}

func TestGuard(t *testing.T) {
	v := view.New()
	open := start(t, v, "127.0.0.1:0")
	closed, err := Start(v, nobody{}, Options{Listen: "127.0.0.1:0", Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closed.Close() })
	ask := func(s *Server, method, path, body string, header ...string) int {
		r, err := http.NewRequest(method, "http://"+s.Addr()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			if header[i] == "Host" {
				r.Host = header[i+1]
			}
			r.Header.Set(header[i], header[i+1])
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s %s: no policy", method, path)
		}
		return answer.StatusCode
	}
	node := `{"node":"0000000000000001"}`
	for _, tt := range []struct {
		what string
		got  int
		want int
	}{
		{"page", ask(open, "GET", "/", ""), 200},
		{"state", ask(open, "GET", "/api/state", ""), 200},
		{"another name", ask(open, "GET", "/", "", "Host", "evil.example"), 403},
		{"ping", ask(open, "POST", "/api/ping", node), 200},
		{"ping from another page", ask(open, "POST", "/api/ping", node, "Origin", "http://evil.example"), 403},
		{"ping of what?", ask(open, "POST", "/api/ping", `{"nose":1}`), 400},
		{"trace that fails", ask(open, "POST", "/api/trace", node), 502},
		{"no such page", ask(open, "GET", "/nowhere", ""), 404},
		{"text", ask(open, "POST", "/api/text", `{"node":"0000000000000001","text":"hi"}`), 200},
		{"text without the token", ask(closed, "POST", "/api/text", `{"node":"0000000000000001","text":"hi"}`), 401},
		{"ping without the token", ask(closed, "POST", "/api/ping", node), 401},
		{"ping with a wrong token", ask(closed, "POST", "/api/ping", node, "Authorization", "Bearer wrong"), 401},
		{"ping with the token", ask(closed, "POST", "/api/ping", node, "Authorization", "Bearer secret"), 200},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d, want %d", tt.what, tt.got, tt.want)
		}
	}
}

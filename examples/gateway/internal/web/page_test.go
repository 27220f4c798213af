package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gopymesh/pymesh/examples/gateway/internal/browsertest"
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

// illegible are the texts whose contrast to what is behind them is below 4.5 to 1 (WCAG 2.2 §1.4.3).
const illegible = `(() => {
	const channels = (c) => c.match(/[0-9.]+/g).map(Number);
	const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
	const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
	const behind = (e) => { for (; e; e = e.parentElement) { const c = channels(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
	return [...document.body.querySelectorAll('*')].filter((e) => e.getClientRects().length && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
		&& !['SCRIPT', 'title'].includes(e.tagName)).map((e) => { const s = getComputedStyle(e);
		const a = luminance(channels(e instanceof SVGElement ? s.fill : s.color)), b = luminance(behind(e));
		return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.tagName + ' ' + e.textContent.slice(0, 20)]; }).filter(([c]) => c < 4.5).map(([c, t]) => c.toFixed(1) + ' ' + t);
})()`

// nameless are the things that can be used and have no name.
const nameless = `[...document.querySelectorAll('button, input, [role=button], [role=meter], svg[role], [tabindex]')].filter((e) => !(e.getAttribute('aria-label') ||
	e.textContent.trim() || e.labels && e.labels.length || e.getAttribute('placeholder') || e.id === 'log')).map((e) => e.outerHTML.slice(0, 80))`

// TestPage looks at the page with a browser.
func TestPage(t *testing.T) {
	ctx, problems := browsertest.Open(t)
	v := view.New()
	nodes, links := fieldOf(12)
	v.SetMesh(nodes, links)
	s := start(t, v, "127.0.0.1:0")
	if _, err := chromedp.Run(ctx, chromedp.Steps(chromedp.EmulateViewport(1200, 900), chromedp.Navigate("http://"+s.Addr()+"/"))); err != nil {
		t.Fatal(err)
	}
	browsertest.Until(t, ctx, "all nodes are on the map", `document.querySelectorAll('.node').length === 12 && document.querySelectorAll('.link').length === 11`)
	nodes[3].Alive = false
	v.SetMesh(nodes, links)
	browsertest.Until(t, ctx, "a node that dies turns grey", `document.querySelectorAll('.node.dead').length === 1`)
	browsertest.Until(t, ctx, "it is chosen from the keyboard", `(() => { const n = document.querySelectorAll('.node')[5]; if (!document.querySelector('.chosen')) { n.focus();
		n.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true })); } return document.querySelector('#node dl') !== null; })()`)
	browsertest.Until(t, ctx, "it is pinged", `(() => { const b = document.querySelector('#node button'); if (!window.asked) { window.asked = true; b.click(); }
		return document.querySelector('#node pre').textContent.includes('320ms'); })()`)
	browsertest.Until(t, ctx, "it gets a text", `(() => { const f = document.querySelector('#node form'); if (!window.texted) { window.texted = true; f.querySelector('input').value = 'hello <b>you</b>';
		f.requestSubmit(); } return document.querySelector('#node pre').textContent.includes('has hello <b>you</b>'); })()`)
	browsertest.Shot(t, ctx, "map.png")

	address := s.Addr()
	_ = s.Close()
	browsertest.Until(t, ctx, "it says that the gateway is gone", `document.getElementById('status').textContent.includes('no connection')`)
	nodes, links = fieldOf(5)
	v.SetMesh(nodes, links)
	start(t, v, address)
	browsertest.Until(t, ctx, "it is there again, with what is there now", `document.querySelectorAll('.node').length === 5`)
	if _, err := chromedp.Run(ctx, chromedp.EmulateViewport(390, 800)); err != nil {
		t.Fatal(err)
	}
	browsertest.Until(t, ctx, "it fits a phone", `document.documentElement.scrollWidth <= 390`)
	for _, scheme := range []string{"light", "dark"} {
		browsertest.Prefer(t, ctx, scheme)
		if bad := browsertest.Value[[]string](t, ctx, illegible); len(bad) > 0 {
			t.Errorf("%s: %d texts are hard to read: %s", scheme, len(bad), strings.Join(bad, "; "))
		}
		browsertest.Shot(t, ctx, "phone-"+scheme+".png")
	}
	if bad := browsertest.Value[[]string](t, ctx, nameless); len(bad) > 0 {
		t.Errorf("a screen reader has no name for %s", strings.Join(bad, "; "))
	}
	if p := problems(); len(p) > 0 {
		t.Errorf("%d problems, the first %s", len(p), p[0])
	}
}

// many is a mesh as large as the page is made for, in which a node hears as many others as in a real one.
func many() (nodes []view.Node, links []view.Link) {
	const rows, columns = 10, 20
	nodes, _ = fieldOf(rows * columns)
	link := func(i, j int) {
		links = append(links, view.Link{A: nodes[i].ID, B: nodes[j].ID, AB: 3, BA: (i + j) % 4})
	}
	for i := range nodes {
		if i%columns < columns-1 {
			link(i, i+1)
		}
		if i+columns < len(nodes) {
			link(i, i+columns)
		}
	}
	return nodes, links
}

// watching notes what the stream of events brings: how many nodes are on the map once an event has been seen to, and when that is.
const watching = `window.seen = []; window.EventSource = class extends EventSource {
	addEventListener(type, f) { super.addEventListener(type, (e) => { f(e); window.seen.push({ type, nodes: document.querySelectorAll('.node').length, at: performance.now() }); }); } };`

// moving is how often the map is drawn anew in two seconds, each time with nodes that have moved.
const moving = `new Promise((done) => { let n = 0, before = ''; const t0 = performance.now(); const step = () => {
	const now = document.querySelector('.node').getAttribute('transform') + document.querySelectorAll('.node')[150].getAttribute('transform');
	if (now !== before) n++;
	before = now;
	if (performance.now() - t0 > 2000) done(n); else requestAnimationFrame(step); }; step(); })`

// TestManyNodes: 200 nodes are on the map with the first event, for little work, and while they find their places each frame is drawn in less
// than a thirtieth of a second of the processor's. With PYMESH_TIMED the clock is asked as well: the machine must have nothing else to do.
func TestManyNodes(t *testing.T) {
	const soon, budget = 2.0, 1 / 30.0 // seconds
	timed := os.Getenv("PYMESH_TIMED") != ""
	ctx, problems := browsertest.Open(t)
	browsertest.Watch(t, ctx, watching)
	v := view.New()
	nodes, links := many()
	v.SetMesh(nodes, links)
	s := start(t, v, "127.0.0.1:0")
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1200, 900), chromedp.Navigate("http://"+s.Addr()+"/")); err != nil {
		t.Fatal(err)
	}
	browsertest.Until(t, ctx, "an event has come", `window.seen.length > 0`)
	work := browsertest.Work(t, ctx)
	first := browsertest.Value[struct {
		Type  string
		Nodes int
		At    float64
	}](t, ctx, `window.seen[0]`)
	if first.Type != "snapshot" || first.Nodes != len(nodes) {
		t.Errorf("the first event is a %s and shows %d of %d nodes", first.Type, first.Nodes, len(nodes))
	}
	t.Logf("all nodes are on the map after %.2f s, and %.2f s of work", first.At/1000, work)
	if work > soon || timed && first.At > 1000*soon {
		t.Errorf("want %v s at most", soon)
	}

	// A processor that others use as well is slower for each: the best of a few tries counts.
	fluent := false
	for try := range 4 {
		v.SetMesh(nodes, links[try+1:]) // a change of the mesh: all look for new places
		work = browsertest.Work(t, ctx)
		frames := browsertest.Value[float64](t, ctx, moving)
		work = browsertest.Work(t, ctx) - work
		t.Logf("%.0f frames a second, each %.1f ms of work", frames/2, 1000*work/frames)
		if fluent = frames > 2 && work/frames <= budget && (!timed || frames/2 >= 30); fluent {
			break
		}
	}
	if !fluent {
		t.Errorf("want 30 frames a second: %.1f ms each", 1000*budget)
	}
	if p := problems(); len(p) > 0 {
		t.Errorf("%d problems, the first %s", len(p), p[0])
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

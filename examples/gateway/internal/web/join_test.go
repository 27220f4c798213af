package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gopymesh/pymesh/examples/gateway/internal/view"
)

// door is a Doorman that takes one password.
type door struct {
	view    *view.View
	mu      sync.Mutex
	allowed []Allowed
}

func (d *door) Allow(_ context.Context, node, password string, timeout time.Duration) (string, error) {
	if password != "J01NME" {
		return "", errors.New("that is no password")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.allowed = append(d.allowed, Allowed{Node: node, Seconds: int(timeout.Seconds())})
	d.view.Happened(view.Event{Time: time.Now().UnixMilli(), Kind: "join", Text: "node " + node + " is let in"})
	return node + " may join now", nil
}

func (d *door) Disallow(context.Context, string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.allowed = nil
	return "may join no more", nil
}

func (d *door) Allowed() []Allowed {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Allowed(nil), d.allowed...)
}

// TestJoinPage lets a node in by the page, with a browser.
func TestJoinPage(t *testing.T) {
	ctx, problems := browser(t)
	v := view.New()
	nodes, links := fieldOf(3)
	v.SetMesh(nodes, links)
	s, err := Start(v, nobody{}, Options{Listen: "127.0.0.1:0", Token: "secret", Doorman: &door{view: v}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := chromedp.Run(ctx, chromedp.Steps(chromedp.EmulateViewport(1200, 900), chromedp.Navigate("http://"+s.Addr()+"/#token=secret"))); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "there is a form", `!document.getElementById('join-section').hidden`)
	fill := func(password string) {
		t.Helper()
		until(t, ctx, "the form is sent", `(() => { document.getElementById('join-password').value = '`+password+`';
			document.getElementById('join-node').value = '70b3d54990000099'; document.getElementById('join-minutes').value = '30';
			document.getElementById('join').requestSubmit(); return true; })()`)
	}
	fill("wrong1")
	until(t, ctx, "it says what is wrong", `document.getElementById('join-result').textContent.includes('no password')`)
	fill("j01nme") // which is typed as it may be
	until(t, ctx, "it says that the node may come", `document.getElementById('join-result').textContent.includes('may join now')`)
	until(t, ctx, "who may come is shown", `document.getElementById('join-list').textContent.includes('70b3d54990000099, 30 min left')`)
	until(t, ctx, "so is who came", `document.getElementById('log').textContent.includes('is let in')`)
	until(t, ctx, "the password is shown no more", `document.getElementById('join-password').value === ''`)
	shot(t, ctx, "join.png")
	until(t, ctx, "it is taken back", `(() => { const b = document.querySelector('#join-list button'); if (b) b.click();
		return document.getElementById('join-list').children.length === 0 && document.getElementById('join-result').textContent.includes('no more'); })()`)
	if _, err := chromedp.Run(ctx, chromedp.EmulateViewport(390, 800)); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "it fits a phone", `document.documentElement.scrollWidth <= 390`)
	if p := problems(); len(p) > 0 {
		t.Errorf("%d problems, the first %s", len(p), p[0])
	}
}

// Nobody is let in without the token, from another page, or by a request that is none.
func TestJoinGuard(t *testing.T) {
	v := view.New()
	d := &door{view: v}
	open := start(t, v, "127.0.0.1:0") // without a doorman
	closed, err := Start(v, nobody{}, Options{Listen: "127.0.0.1:0", Token: "secret", Doorman: d})
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
			r.Header.Set(header[i], header[i+1])
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if b, _ := io.ReadAll(answer.Body); strings.Contains(string(b), "J01NME") {
			t.Errorf("%s %s: a password in the answer", method, path)
		}
		return answer.StatusCode
	}
	good := `{"node":"","password":"J01NME","minutes":5}`
	token := []string{"Authorization", "Bearer secret"}
	for _, tt := range []struct {
		what string
		got  int
		want int
	}{
		{"no doorman", ask(open, "POST", "/api/join", good), 405},
		{"without the token", ask(closed, "POST", "/api/join", good), 401},
		{"from another page", ask(closed, "POST", "/api/join", good, append(token, "Origin", "http://evil.example")...), 403},
		{"no request", ask(closed, "POST", "/api/join", `{"nose":1}`, token...), 400},
		{"no time", ask(closed, "POST", "/api/join", `{"password":"J01NME","minutes":0}`, token...), 400},
		{"too long", ask(closed, "POST", "/api/join", `{"password":"J01NME","minutes":1441}`, token...), 400},
		{"no password", ask(closed, "POST", "/api/join", `{"password":"x","minutes":1}`, token...), 502},
		{"with the token", ask(closed, "POST", "/api/join", good, token...), 200},
		{"the list", ask(closed, "GET", "/api/join", "", token...), 200},
		{"back without the token", ask(closed, "POST", "/api/unjoin", `{"node":""}`), 401},
		{"back", ask(closed, "POST", "/api/unjoin", `{"node":""}`, token...), 200},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d, want %d", tt.what, tt.got, tt.want)
		}
	}
	if len(d.Allowed()) != 0 {
		t.Errorf("%+v", d.Allowed())
	}
}

// FuzzJoin asks for whatever there is.
func FuzzJoin(f *testing.F) {
	f.Add("/api/join", `{"node":"","password":"J01NME","minutes":5}`)
	f.Add("/api/unjoin", `{"node":"70b3d54990000099"}`)
	v := view.New()
	s := &Server{view: v, actions: nobody{}, opt: Options{Doorman: &door{view: v}}, local: true}
	handler := s.handler()
	f.Fuzz(func(t *testing.T, path, body string) {
		r := httptest.NewRequest("POST", "http://127.0.0.1/", strings.NewReader(body))
		r.URL.Path = path
		handler.ServeHTTP(httptest.NewRecorder(), r)
	})
}

// Package web serves a page that shows a mesh as it is, and what it takes to draw it: no request leaves the gateway.
package web

import (
	"context"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/examples/gateway/internal/view"
)

//go:embed static
var static embed.FS

const (
	pingEvery    = 15 * time.Second
	writeTimeout = 10 * time.Second
	actTimeout   = 2 * time.Minute // a text has to get there, and the answer back
	maxBody      = 4096
)

// policy is what the page may do: nothing from elsewhere.
const policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// Actions are what the page may ask the gateway to do.
type Actions interface {
	// Ping pings a node, by its ID, and returns a line to show.
	Ping(ctx context.Context, node string) (string, error)
	// Trace finds the way to a node, and returns lines to show.
	Trace(ctx context.Context, node string) (string, error)
	// Text sends a text to a board and returns what has become of it.
	Text(ctx context.Context, node, text string) (string, error)
}

// Options say who may see the page.
type Options struct {
	// Listen is the address at which it is served.
	Listen string
	// Token is asked of who does anything, and of everybody where the address is not loopback. Empty: only loopback may.
	Token string
	// Hosts are the names by which a browser may call it, beside localhost and addresses.
	Hosts []string
	// Metrics serves /metrics; nil does not.
	Metrics http.Handler
	// Doorman lets nodes in; nil does not.
	Doorman Doorman
}

// Server serves the page.
type Server struct {
	view    *view.View
	actions Actions
	opt     Options
	http    *http.Server
	listen  net.Listener
	local   bool
	done    chan struct{}
}

// Start listens and serves.
func Start(v *view.View, a Actions, o Options) (*Server, error) {
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s := &Server{view: v, actions: a, opt: o, listen: l, done: make(chan struct{})}
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		s.local = a.IP.IsLoopback()
	}
	s.http = &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l)
	}()
	return s, nil
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.listen.Addr().String() }

// Close ends all connections.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // it is embedded
	}
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/state", s.state)
	mux.HandleFunc("GET /api/events", s.events)
	mux.HandleFunc("POST /api/ping", func(w http.ResponseWriter, r *http.Request) {
		s.act(w, r, func(ctx context.Context, a ask) (string, error) { return s.actions.Ping(ctx, a.Node) })
	})
	mux.HandleFunc("POST /api/trace", func(w http.ResponseWriter, r *http.Request) {
		s.act(w, r, func(ctx context.Context, a ask) (string, error) { return s.actions.Trace(ctx, a.Node) })
	})
	mux.HandleFunc("POST /api/text", func(w http.ResponseWriter, r *http.Request) {
		s.act(w, r, func(ctx context.Context, a ask) (string, error) { return s.actions.Text(ctx, a.Node, a.Text) })
	})
	s.handleJoin(mux)
	if s.opt.Metrics != nil {
		mux.Handle("GET /metrics", s.opt.Metrics)
	}
	return s.guard(mux)
}

// guard refuses what did not come from the page itself, or has no token where one is needed.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		switch {
		case !s.knownHost(r.Host): // a name that points here from elsewhere
			http.Error(w, "unknown host", http.StatusForbidden)
		case r.Method != http.MethodGet && !s.sameOrigin(r):
			http.Error(w, "from another page", http.StatusForbidden)
		case !s.allowed(r):
			h.Set("WWW-Authenticate", `Bearer realm="pymesh"`)
			http.Error(w, "a token is needed", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) knownHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	if _, err := netip.ParseAddr(name); err == nil || strings.EqualFold(name, "localhost") {
		return true
	}
	return slices.ContainsFunc(s.opt.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

func (s *Server) sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "http://"+r.Host || origin == "https://"+r.Host
}

// allowed asks for the token: of everybody beyond loopback, and where one is set of all who do something.
func (s *Server) allowed(r *http.Request) bool {
	if s.opt.Token == "" {
		return s.local
	}
	if s.local && r.Method == http.MethodGet {
		return true
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		given = r.URL.Query().Get("token") // an event stream has no headers of its own
	}
	page := r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/api/") && r.URL.Path != "/metrics"
	return page || subtle.ConstantTimeCompare([]byte(given), []byte(s.opt.Token)) == 1
}

func (s *Server) state(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.view.Snapshot())
}

// events is a stream of server-sent events: a snapshot, then what changes. Who is too slow is cut off and comes back for a new snapshot.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	snapshot, watcher, ok := s.view.Watch()
	if !ok {
		http.Error(w, "too many watch", http.StatusServiceUnavailable)
		return
	}
	defer watcher.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	c := http.NewResponseController(w)
	write := func(format string, args ...any) bool {
		_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && c.Flush() == nil
	}
	if !write("retry: 2000\nevent: snapshot\ndata: %s\n\n", snapshot) {
		return
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case delta, ok := <-watcher.C:
			if !ok || !write("event: delta\ndata: %s\n\n", delta) {
				return
			}
		case <-ping.C:
			if !write(": ping\n\n") {
				return
			}
		}
	}
}

// ask is what the page asks for.
type ask struct {
	Node string `json:"node"`
	Text string `json:"text"` // of a text
}

// act does what the page asks for.
func (s *Server) act(w http.ResponseWriter, r *http.Request, f func(context.Context, ask) (string, error)) {
	var a ask
	d := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		http.Error(w, `want {"node": "…"}`, http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
	defer cancel()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(actTimeout + writeTimeout))
	text, err := f(ctx, a)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"text": text})
}

package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Doorman lets nodes into the mesh by their passwords.
type Doorman interface {
	// Allow lets a node in that has a password, within a time; an empty node is any. It returns a line to show.
	Allow(ctx context.Context, node, password string, timeout time.Duration) (string, error)
	// Disallow takes that back.
	Disallow(ctx context.Context, node string) (string, error)
	// Allowed returns who may come.
	Allowed() []Allowed
}

// Allowed is who may join the mesh. Its password is not told.
type Allowed struct {
	Node    string `json:"node"` // empty for any
	Seconds int    `json:"seconds"`
}

// handleJoin adds what the page needs to let nodes in. Not even who may come is told without the token, where there is one.
func (s *Server) handleJoin(mux *http.ServeMux) {
	if s.opt.Doorman == nil {
		return
	}
	mux.HandleFunc("GET /api/join", func(w http.ResponseWriter, _ *http.Request) { s.allowedList(w, "") })
	mux.HandleFunc("POST /api/join", func(w http.ResponseWriter, r *http.Request) {
		var a struct {
			Node     string `json:"node"`
			Password string `json:"password"`
			Minutes  int    `json:"minutes"`
		}
		const most = 24 * 60
		if !decode(w, r, &a) {
			return
		}
		if a.Minutes < 1 || a.Minutes > most {
			http.Error(w, "the time is 1 to 1440 minutes", http.StatusBadRequest)
			return
		}
		s.answer(w, r, func(ctx context.Context) (string, error) {
			return s.opt.Doorman.Allow(ctx, a.Node, a.Password, time.Duration(a.Minutes)*time.Minute)
		})
	})
	mux.HandleFunc("POST /api/unjoin", func(w http.ResponseWriter, r *http.Request) {
		var a struct {
			Node string `json:"node"`
		}
		if decode(w, r, &a) {
			s.answer(w, r, func(ctx context.Context) (string, error) { return s.opt.Doorman.Disallow(ctx, a.Node) })
		}
	})
}

func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		http.Error(w, "this is no request of the page", http.StatusBadRequest)
		return false
	}
	return true
}

// answer does what is asked, and returns what came of it with who may come now.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, f func(context.Context) (string, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
	defer cancel()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(actTimeout + writeTimeout))
	text, err := f(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	s.allowedList(w, text)
}

func (s *Server) allowedList(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	list := s.opt.Doorman.Allowed()
	if list == nil {
		list = []Allowed{}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"text": text, "allowed": list})
}

package web

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/examples/gateway/internal/view"
)

// FuzzRequest has requests of all kinds come: none but the right ones have the gateway do something.
func FuzzRequest(f *testing.F) {
	for _, r := range []string{
		"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"GET /api/state HTTP/1.1\r\nHost: localhost:8080\r\n\r\n",
		"POST /api/ping HTTP/1.1\r\nHost: [::1]:8080\r\nAuthorization: Bearer secret\r\nContent-Length: 15\r\n\r\n{\"node\":\"0001\"}",
		"POST /api/text HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Length: 2\r\n\r\n{}",
		"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
	} {
		f.Add([]byte(r))
	}
	s := &Server{view: view.New(), actions: nobody{}, opt: Options{Token: "secret"}, local: true}
	h := s.handler()
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil || strings.HasPrefix(r.URL.Path, "/api/events") { // which has no end
			return
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Result().Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%q: no policy", b)
		}
		if r.Method != http.MethodGet && w.Code < 300 && !bytes.Contains(b, []byte("secret")) {
			t.Errorf("%q: %d without the token", b, w.Code)
		}
	})
}

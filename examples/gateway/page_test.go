package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gopymesh/pymesh/examples/gateway/internal/browsertest"
)

// output is what a program prints while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// TestEmulated runs the program as its README says, and looks at the page: nodes come up on the map, readings come. With
// PYMESH_PICTURE it waits for the whole mesh, for the picture in the README. PYMESH_SCREENSHOTS is a folder for pictures.
func TestEmulated(t *testing.T) {
	ctx, problems := browsertest.Open(t)
	var out, errs output
	stop, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() { done <- run(stop, []string{"-emulated", "-web", "127.0.0.1:0"}, &out, &errs) }()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("code %d: %s", code, errs.String())
		}
	})
	page := regexp.MustCompile(`http://\S+`)
	for late := time.Now().Add(30 * time.Second); page.FindString(out.String()) == ""; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("no page: %s %s", out.String(), errs.String())
		}
	}
	for _, want := range []string{"ctl: ", "broker: ", "text: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q does not tell of %q", out.String(), want)
		}
	}
	if _, err := chromedp.Run(ctx, chromedp.Steps(chromedp.EmulateViewport(1100, 720), chromedp.Navigate(page.FindString(out.String())))); err != nil {
		t.Fatal(err)
	}
	nodes, picture := 3, os.Getenv("PYMESH_PICTURE") != ""
	if picture {
		nodes = emulatedNodes + 1
	}
	browsertest.Until(t, ctx, "nodes are on the map", fmt.Sprintf(`document.querySelectorAll('.node:not(.dead)').length >= %d`, nodes))
	browsertest.Until(t, ctx, "readings come", `document.querySelector('#log').textContent.includes('temperature')`)
	if picture {
		browsertest.Until(t, ctx, "all are known by name", fmt.Sprintf(`document.querySelectorAll('tr[data-id^="70b3"]').length >= %d &&
			document.querySelectorAll('.link').length >= %d`, nodes, nodes))
		choose := fmt.Sprintf(`(() => { const r = document.querySelector('tr[data-id="%016x"]'); if (r) r.click(); return r !== null; })()`, uint64(emulatedMAC))
		browsertest.Until(t, ctx, "a board is chosen", choose)
		browsertest.Until(t, ctx, "strengths are drawn", `document.querySelector('#rssi canvas') !== null`)
		time.Sleep(30 * time.Second) // in which the nodes find their places, and there is something of strengths to see
	}
	browsertest.Shot(t, ctx, "gateway.png")
	if p := problems(); len(p) > 0 {
		t.Errorf("%d problems, the first %s", len(p), p[0])
	}
}

package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "draw the pictures anew")

// TestFigures: the pictures in docs are those that the code draws, and they are XML that a browser takes.
func TestFigures(t *testing.T) {
	for _, f := range figures {
		got, err := f.draw()
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
			continue
		}
		name := filepath.Join("..", f.name)
		if *update {
			if err := os.WriteFile(name, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is another now; after a change that is wanted: go run ./docs/figures, and look at it", f.name)
		}
		for d := xml.NewDecoder(bytes.NewReader(got)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%s: %v", f.name, err)
				break
			}
		}
	}
}

// TestPages: each picture stands in a page, each page has its pictures, and links lead somewhere.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
		for _, link := range regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`).FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(link[1]))); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	for _, f := range figures {
		if !strings.Contains(all.String(), "]("+f.name+")") {
			t.Errorf("no page shows %s", f.name)
		}
	}
}

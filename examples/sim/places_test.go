package main

import (
	"math"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/lora/lorasim"
)

func TestCSV(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []site
	}{
		{"0,0\n100,0\n", []site{{"1", lorasim.Position{X: -50}}, {"2", lorasim.Position{X: 50}}}},
		{"0,0,5\n0,100,7\n", []site{{"1", lorasim.Position{Y: -50, Z: 5}}, {"2", lorasim.Position{Y: 50, Z: 7}}}},
		{"Name, X, Y, Height\na, 0, 0, \nb, 200, 0, 3\n", []site{{"a", lorasim.Position{X: -100}}, {"b", lorasim.Position{X: 100, Z: 3}}}},
		{"\ufefflat,lon,name\n48,11,a\n48.001,11,b\n", []site{{"a", lorasim.Position{Y: -55.6}}, {"b", lorasim.Position{Y: 55.6}}}},
		{"id,longitude,latitude\n1,11,60\n2,11.001,60\n", []site{{"1", lorasim.Position{X: -27.8}}, {"2", lorasim.Position{X: 27.8}}}},
	} {
		got, err := parseCSV([]byte(tt.text))
		if err != nil || len(got) != len(tt.want) {
			t.Errorf("%q: %v, %v", tt.text, got, err)
			continue
		}
		for i, w := range tt.want {
			if got[i].Name != w.Name || got[i].Distance(w.Position) > 0.1 {
				t.Errorf("%q: %+v, want %+v", tt.text, got[i], w)
			}
		}
	}
	for text, want := range map[string]string{
		"":                            "no places",
		"x,y\n1,2\n":                  "no mesh",
		"a,b\n1,2\n":                  "name columns",
		"x,y,lat,lon\n1,2,3,4\n":      "name columns",
		"x,x,y\n1,2,3\n":              "two columns",
		"x,y\n1,2\n1\n":               "place 2: no y",
		"x,y\n1,2\n1,b\n":             "no number",
		"x,y\n1,2\nNaN,3\n":           "finite",
		"x,y\n1,2\n1e300,3\n":         "km away",
		"lat,lon\n48,11\n95,11\n":     "degrees",
		"x,y\n\"1,2\n":                "quote",
		strings.Repeat("1,2\n", 3000): "more than",
	} {
		if got, err := parseCSV([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, %v; want %q", text, got, err, want)
		}
	}
}

const twoPoints = `{"type": "FeatureCollection", "features": [
	{"type": "Feature", "properties": {"name": "gate"}, "geometry": {"type": "Point", "coordinates": [11, 48, 500]}},
	{"type": "Feature", "properties": {"name": "field"}, "geometry": {"type": "Polygon", "coordinates": [[[11, 48], [12, 48], [11, 49], [11, 48]]]}},
	{"type": "Feature", "properties": {"n": 7}, "geometry": {"type": "Point", "coordinates": [11, 48.001]}},
	{"type": "Feature", "properties": null, "geometry": null}
]}`

func TestGeoJSON(t *testing.T) {
	got, left, err := parseGeoJSON([]byte(twoPoints))
	if err != nil || left != 2 || len(got) != 2 || got[0].Name != "gate" || got[1].Name != "2" || got[0].Z != 500 || math.Abs(got[1].Y-got[0].Y-111.2) > 0.1 {
		t.Errorf("%+v, %d, %v", got, left, err)
	}
	got, _, err = parseGeoJSON([]byte(`{"type": "GeometryCollection", "geometries": [{"type": "MultiPoint", "coordinates": [[11, 48], [11.1, 48]]}]}`))
	if err != nil || len(got) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"":                  "JSON",
		"{}":                "type",
		`{"type": "Point"}`: "without coordinates",
		`{"type": "Point", "coordinates": [1, 2]}`:                                              "no mesh",
		`{"type": "Point", "coordinates": [1]}`:                                                 "1 coordinates",
		`{"type": "Point", "coordinates": ["a", 2]}`:                                            "coordinates of a Point",
		`{"type": "MultiPoint", "coordinates": [1, 2]}`:                                         "coordinates of a MultiPoint",
		`{"type": "FeatureCollection", "features": [{}]}`:                                       "member 1",
		`{"type": "MultiPoint", "coordinates": [[1, 2], [1, 95]]}`:                              "degrees",
		strings.Repeat(`{"type": "Feature", "geometry": `, 20) + `{}` + strings.Repeat("}", 20): "too deep",
	} {
		if got, _, err := parseGeoJSON([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, %v; want %q", text, got, err, want)
		}
	}
}

// check looks at places that were read.
func check(t *testing.T, sites []site) {
	if len(sites) < 2 || len(sites) > maxNodes {
		t.Fatalf("%d places", len(sites))
	}
	for _, s := range sites {
		if d := s.Distance(lorasim.Position{}); s.Name == "" || !(d <= maxSpan) {
			t.Fatalf("%+v", s)
		}
	}
}

func FuzzParseCSV(f *testing.F) {
	for _, s := range []string{farm, "0,0\n1,1\n", "lat,lon\n1,2\n3,4\n", "x,y,z\n1,2,\n3,4,5\n", "\"a\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if sites, err := parseCSV(b); err == nil {
			check(t, sites)
		}
	})
}

func FuzzParseGeoJSON(f *testing.F) {
	for _, s := range []string{twoPoints, `{"type": "MultiPoint", "coordinates": [[11, 48], [11.1, 48]]}`, `{"type":"Point","coordinates":[1e308,1]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if sites, _, err := parseGeoJSON(b); err == nil {
			check(t, sites)
		}
	})
}

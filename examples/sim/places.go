package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gopymesh/pymesh/lora/lorasim"
)

// Limits of a file of places.
const (
	maxFile  = 4 << 20 // bytes
	maxNodes = 2000
	maxSpan  = 1e6 // meters from the middle to any place
)

// A site is where a node stands.
type site struct {
	Name string
	lorasim.Position
}

// readPlaces reads a CSV or GeoJSON file. It returns how many shapes of a GeoJSON file were left out because they are no points.
func readPlaces(name string) (sites []site, left int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, 0, err
	case len(b) > maxFile:
		return nil, 0, fmt.Errorf("%s is larger than %d MB", name, maxFile>>20)
	}
	switch ext := strings.ToLower(filepath.Ext(name)); {
	case ext == ".geojson" || ext == ".json":
		sites, left, err = parseGeoJSON(b)
	default:
		sites, err = parseCSV(b)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	return sites, left, nil
}

// columns are where a CSV file has what; -1 where it does not.
type columns struct{ name, x, y, z, lat, lon int }

// columnNames are the words for each.
var columnNames = []struct {
	words []string
	of    func(*columns) *int
}{
	{[]string{"name", "id", "node", "label"}, func(c *columns) *int { return &c.name }},
	{[]string{"x", "east", "easting"}, func(c *columns) *int { return &c.x }},
	{[]string{"y", "north", "northing"}, func(c *columns) *int { return &c.y }},
	{[]string{"z", "height", "alt", "altitude", "elevation"}, func(c *columns) *int { return &c.z }},
	{[]string{"lat", "latitude"}, func(c *columns) *int { return &c.lat }},
	{[]string{"lon", "lng", "long", "longitude"}, func(c *columns) *int { return &c.lon }},
}

// parseCSV reads lines of places: x and y in meters, or lat and lon in degrees, with z in meters and a name if there are. The first line
// names the columns; without such a line they are x, y and z.
func parseCSV(b []byte) ([]site, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
	r.Comment, r.TrimLeadingSpace, r.FieldsPerRecord = '#', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("no places")
	}
	c, headed, err := header(rows[0])
	if err != nil {
		return nil, err
	}
	if headed {
		rows = rows[1:]
	}
	points := make([]point, 0, min(len(rows), maxNodes))
	for i, row := range rows {
		p, err := c.point(row)
		if err != nil {
			return nil, fmt.Errorf("place %d: %w", i+1, err)
		}
		points = append(points, p)
	}
	return project(points, c.lat >= 0)
}

// header reads the names of the columns, if a line has names.
func header(row []string) (c columns, headed bool, err error) {
	if _, err := strconv.ParseFloat(strings.TrimSpace(row[0]), 64); err == nil {
		c = columns{name: -1, x: 0, y: 1, z: -1, lat: -1, lon: -1}
		if len(row) > 2 {
			c.z = 2
		}
		return c, false, nil
	}
	c = columns{-1, -1, -1, -1, -1, -1}
	for i, text := range row {
		word := strings.ToLower(strings.TrimSpace(text))
		for _, k := range columnNames {
			if slices.Contains(k.words, word) {
				if *k.of(&c) >= 0 {
					return c, true, fmt.Errorf("two columns %q", word)
				}
				*k.of(&c) = i
			}
		}
	}
	plane, globe := c.x >= 0 && c.y >= 0, c.lat >= 0 && c.lon >= 0
	if plane == globe {
		return c, true, errors.New("the first line must name columns x and y (meters) or lat and lon (degrees), and may name z and name")
	}
	if plane {
		c.lat, c.lon = -1, -1
	}
	return c, true, nil
}

// point is a place as a file has it: x and y in meters, or longitude and latitude in degrees.
type point struct {
	name    string
	x, y, z float64
}

func (c *columns) point(row []string) (p point, err error) {
	number := func(i int, what string) float64 {
		if i < 0 || err != nil {
			return 0
		}
		if i >= len(row) {
			err = fmt.Errorf("no %s", what)
			return 0
		}
		v, e := strconv.ParseFloat(strings.TrimSpace(row[i]), 64)
		if e != nil {
			err = fmt.Errorf("%s %q is no number", what, row[i])
		}
		return v
	}
	if c.lat >= 0 {
		p.x, p.y = number(c.lon, "lon"), number(c.lat, "lat")
	} else {
		p.x, p.y = number(c.x, "x"), number(c.y, "y")
	}
	if c.z >= 0 && c.z < len(row) && strings.TrimSpace(row[c.z]) != "" {
		p.z = number(c.z, "z")
	}
	if c.name >= 0 && c.name < len(row) {
		p.name = strings.TrimSpace(row[c.name])
	}
	return p, err
}

// meters of a degree of latitude.
const degree = 111_195

// project makes meters of points, from the middle of them.
func project(points []point, globe bool) ([]site, error) {
	switch {
	case len(points) < 2:
		return nil, fmt.Errorf("%d places are no mesh", len(points))
	case len(points) > maxNodes:
		return nil, fmt.Errorf("%d places are more than %d", len(points), maxNodes)
	}
	var middle point
	for i, p := range points {
		switch {
		case bad(p.x) || bad(p.y) || bad(p.z):
			return nil, fmt.Errorf("place %d: not a finite number", i+1)
		case globe && (math.Abs(p.y) > 89 || math.Abs(p.x) > 180):
			return nil, fmt.Errorf("place %d: lat %v, lon %v is not within ±89 and ±180 degrees", i+1, p.y, p.x)
		}
		middle.x += p.x / float64(len(points))
		middle.y += p.y / float64(len(points))
	}
	scaleX, scaleY := 1.0, 1.0
	if globe {
		scaleX, scaleY = degree*math.Cos(middle.y*math.Pi/180), degree
	}
	sites := make([]site, len(points))
	for i, p := range points {
		q := lorasim.Position{X: scaleX * (p.x - middle.x), Y: scaleY * (p.y - middle.y), Z: p.z}
		if !(q.Distance(lorasim.Position{}) <= maxSpan) {
			return nil, fmt.Errorf("place %d lies more than %v km away from the others", i+1, maxSpan/1000)
		}
		sites[i] = site{p.name, q}
		if p.name == "" {
			sites[i].Name = strconv.Itoa(i + 1)
		}
	}
	return sites, nil
}

func bad(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }

// shape is an object of GeoJSON (RFC 7946): a collection, a feature or a geometry.
type shape struct {
	Type        string          `json:"type"`
	Features    []shape         `json:"features"`
	Geometry    *shape          `json:"geometry"`
	Geometries  []shape         `json:"geometries"`
	Properties  map[string]any  `json:"properties"`
	Coordinates json.RawMessage `json:"coordinates"`
}

// parseGeoJSON reads the points of a GeoJSON text, in degrees of longitude and latitude and meters of height, and counts the other shapes.
func parseGeoJSON(b []byte) (sites []site, left int, err error) {
	var root shape
	if err := json.Unmarshal(b, &root); err != nil {
		return nil, 0, err
	}
	var points []point
	if err := root.collect("", &points, &left, 0); err != nil {
		return nil, 0, err
	}
	sites, err = project(points, true)
	return sites, left, err
}

// maxDepth is how deep collections may lie in each other.
const maxDepth = 8

func (s *shape) collect(name string, points *[]point, left *int, depth int) error {
	if depth > maxDepth {
		return errors.New("collections within collections, too deep")
	}
	for _, key := range []string{"name", "title", "label", "id"} {
		if v, ok := s.Properties[key].(string); ok && v != "" {
			name = v
			break
		}
	}
	switch s.Type {
	case "FeatureCollection":
		return collectAll(s.Features, name, points, left, depth)
	case "GeometryCollection":
		return collectAll(s.Geometries, name, points, left, depth)
	case "Feature":
		if s.Geometry == nil {
			*left++
			return nil
		}
		return s.Geometry.collect(name, points, left, depth+1)
	case "Point":
		return s.points(name, points, func(raw json.RawMessage) ([][]float64, error) {
			var one []float64
			err := json.Unmarshal(raw, &one)
			return [][]float64{one}, err
		})
	case "MultiPoint":
		return s.points(name, points, func(raw json.RawMessage) (all [][]float64, err error) {
			err = json.Unmarshal(raw, &all)
			return all, err
		})
	case "LineString", "MultiLineString", "Polygon", "MultiPolygon":
		*left++
		return nil
	}
	return fmt.Errorf("type %q is not one of GeoJSON", s.Type)
}

func collectAll(list []shape, name string, points *[]point, left *int, depth int) error {
	for i := range list {
		if err := list[i].collect(name, points, left, depth+1); err != nil {
			return fmt.Errorf("member %d: %w", i+1, err)
		}
	}
	return nil
}

func (s *shape) points(name string, points *[]point, read func(json.RawMessage) ([][]float64, error)) error {
	if len(s.Coordinates) == 0 {
		return fmt.Errorf("a %s without coordinates", s.Type)
	}
	list, err := read(s.Coordinates)
	if err != nil {
		return fmt.Errorf("coordinates of a %s: %w", s.Type, err)
	}
	for _, c := range list {
		if len(c) < 2 {
			return fmt.Errorf("a %s with %d coordinates", s.Type, len(c))
		}
		p := point{name: name, x: c[0], y: c[1]}
		if len(c) > 2 {
			p.z = c[2]
		}
		*points = append(*points, p)
	}
	return nil
}

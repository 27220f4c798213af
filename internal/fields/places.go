package fields

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/gopymesh/pymesh/lora/lorasim"
)

// What the fields of Named have in common: links far above the sensitivity, and far below what listening by strength notices; who is more
// than Reach grid units away is not heard at all.
const (
	Signal = -100 // dBm
	Reach  = 1.5
	Degree = 6 // mean number of neighbors in a random field

	maxNumber = 64
)

// A Field is where nodes stand, and how strongly they hear each other.
type Field struct {
	Name        string
	Places      []lorasim.Position
	Propagation lorasim.Propagation
}

// layouts are the topologies by how the names of fields begin.
var layouts = map[string]string{"chain": "chain", "grid": "grid", "all": "cell", "star": "star", "rand": "random"}

// ParseName takes the name of a field apart, a kind and a number of 2 to 64: chain8 are 8 nodes in a row (chain), grid4 are 4 × 4 (grid),
// all16 are 16 in one cell (cell), star9 are 8 that hear only the one in the middle (star), rand32 are 32 at random (random).
func ParseName(name string) (topology string, nodes int, err error) {
	digits := strings.IndexAny(name, "0123456789")
	if digits < 0 {
		return "", 0, fmt.Errorf("field %q has no number", name)
	}
	n, err := strconv.Atoi(name[digits:])
	if err != nil || n < 2 || n > maxNumber {
		return "", 0, fmt.Errorf("field %q: the number is not 2 to %d", name, maxNumber)
	}
	topology, ok := layouts[name[:digits]]
	switch {
	case !ok:
		return "", 0, fmt.Errorf("field %q is no chain, grid, all, star or rand", name)
	case topology == "grid":
		n *= n
	}
	return topology, n, nil
}

// Named returns a field by its name, as ParseName has it, with links of Signal. The seed tells where the nodes of a random one are.
func Named(name string, seed uint64) (Field, error) {
	topology, n, err := ParseName(name)
	if err != nil {
		return Field{}, err
	}
	f := Field{Name: name, Propagation: Within(Reach, Signal)}
	switch topology {
	case "chain":
		f.Places = Chain(n)
	case "grid":
		side := int(math.Round(math.Sqrt(float64(n))))
		f.Places = Grid(side, side)
	case "cell":
		f.Places = Cell(n)
	case "star":
		f.Places, f.Propagation = Star(n), Spokes(Signal)
	case "random":
		f.Places = Random(n, Degree, seed)
	}
	return f, nil
}

// Within is a propagation in which all that are within reach of each other hear each other with the same strength, in dBm, and nobody else.
func Within(reach, signal float64) lorasim.Propagation {
	return func(_ float64, a, b lorasim.Position) float64 {
		if a.Distance(b) > reach {
			return math.Inf(-1)
		}
		return signal
	}
}

// Spokes is the propagation of a Star: one end of each link is the node in the middle.
func Spokes(signal float64) lorasim.Propagation {
	return func(_ float64, a, b lorasim.Position) float64 {
		if a != (lorasim.Position{}) && b != (lorasim.Position{}) {
			return math.Inf(-1)
		}
		return signal
	}
}

// Chain is a row of n places, one unit apart.
func Chain(n int) []lorasim.Position { return Grid(n, 1) }

// Grid is columns × rows places, one unit apart.
func Grid(columns, rows int) []lorasim.Position {
	ps := make([]lorasim.Position, 0, columns*rows)
	for i := range columns * rows {
		ps = append(ps, lorasim.Position{X: float64(i % columns), Y: float64(i / columns)})
	}
	return ps
}

// Cell is n places on a circle, one unit across.
func Cell(n int) []lorasim.Position {
	ps := make([]lorasim.Position, 0, n)
	for i := range n {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		ps = append(ps, lorasim.Position{X: cos / 2, Y: sin / 2})
	}
	return ps
}

// Star is one place in the middle and n-1 around it, one unit away. Spokes goes with it.
func Star(n int) []lorasim.Position {
	ps := make([]lorasim.Position, 1, n)
	for i := range n - 1 {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n-1))
		ps = append(ps, lorasim.Position{X: cos, Y: sin})
	}
	return ps
}

// Random is n random places, which the seed tells, in a square so large that each has a number of neighbors within Reach, in the mean
// (were there no edges), and so that all are connected.
func Random(n int, degree float64, seed uint64) []lorasim.Position {
	const attempts, attemptsOfMany, many = 2000, 20, 64
	r := rand.New(rand.NewPCG(seed, 77))
	side := Reach * math.Sqrt(float64(n)*math.Pi/(degree+1))
	draw := func() lorasim.Position { return lorasim.Position{X: side * r.Float64(), Y: side * r.Float64()} }
	left := attempts
	if n > many {
		left = attemptsOfMany
	}
	ps := make([]lorasim.Position, n)
	for ; left > 0; left-- {
		for i := range ps {
			ps[i] = draw()
		}
		if !slices.Contains(reached(ps), false) {
			return ps
		}
	}
	// Chance does not connect them: whoever is apart from the first stands near one that comes before it.
	for i, ok := range reached(ps) {
		if !ok {
			near := ps[r.IntN(i)]
			sin, cos := math.Sincos(2 * math.Pi * r.Float64())
			far := 0.99 * Reach * r.Float64()
			ps[i] = lorasim.Position{X: near.X + far*cos, Y: near.Y + far*sin}
		}
	}
	return ps
}

// reached tells which places can be reached from the first.
func reached(ps []lorasim.Position) []bool {
	reached := make([]bool, len(ps))
	todo := make([]int, 1, len(ps))
	reached[0] = true
	for len(todo) > 0 {
		i := todo[0]
		todo = todo[1:]
		for j := range ps {
			if !reached[j] && ps[i].Distance(ps[j]) <= Reach {
				reached[j] = true
				todo = append(todo, j)
			}
		}
	}
	return reached
}

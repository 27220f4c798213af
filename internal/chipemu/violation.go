package chipemu

import (
	"fmt"
	"time"
)

// Rule is a rule of the data sheet that a driver can break, in words.
type Rule string

// Rules of all chips.
const (
	// SPIClock: the clock is faster than the chip allows.
	SPIClock Rule = "SPI clock too fast"
	// SPIMode: the SPI mode is not 0. What is read is garbage, what is written is lost.
	SPIMode Rule = "SPI mode not 0"
)

// Violation is a breach of a rule.
type Violation struct {
	Time   time.Time
	Rule   Rule
	Detail string // names the register or command, where one is concerned
}

// String returns the rule and the detail.
func (v Violation) String() string { return string(v.Rule) + ": " + v.Detail }

// maxViolations is how many a chip remembers.
const maxViolations = 1000

// Violations returns the breaches so far, the first ones if there are very many.
func (c *Core) Violations() []Violation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Violation(nil), c.violations...)
}

// Violate notes a breach. One transaction breaks a rule only once.
func (c *Core) Violate(rule Rule, format string, args ...any) {
	if c.broken[rule] {
		return
	}
	c.broken[rule] = true
	v := Violation{c.Now, rule, fmt.Sprintf(format, args...)}
	if len(c.violations) < maxViolations {
		c.violations = append(c.violations, v)
	}
	if c.opt.OnViolation != nil {
		c.unreported = append(c.unreported, v)
	}
}

// Forgive begins a new transaction, as far as violations are concerned.
func (c *Core) Forgive() {
	if len(c.broken) > 0 {
		clear(c.broken)
	}
}

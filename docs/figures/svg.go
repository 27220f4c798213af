package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// style has the colors by what they are for, once for light pages and once for dark ones. A picture has a ground of its own, so that it can be
// read on any page.
const style = `
text { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2328 }
.small { font-size: 11.5px; fill: #59636e }
.head { font-size: 14px; font-weight: 600 }
.on { fill: #ffffff; font-size: 12px }
.halo { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
.ground { fill: #ffffff; stroke: #d1d9e0 }
.grid { stroke: #d1d9e0; fill: none }
.axis { stroke: #59636e; fill: none }
.line { fill: none; stroke-width: 2 }
.c0 { fill: #0969da } .c1 { fill: #1a7f37 } .c2 { fill: #bc4c00 } .c3 { fill: #8250df } .c4 { fill: #8c959f } .c5 { fill: #cf222e }
.s0 { stroke: #0969da } .s1 { stroke: #1a7f37 } .s2 { stroke: #bc4c00 } .s3 { stroke: #8250df } .s4 { stroke: #8c959f } .s5 { stroke: #cf222e }
.dash { stroke-dasharray: 5 4 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9198a1 }
  .on { fill: #0d1117 }
  .halo { stroke: #0d1117 }
  .ground { fill: #0d1117; stroke: #3d444d }
  .grid { stroke: #3d444d }
  .axis { stroke: #9198a1 }
  .c0 { fill: #4493f8 } .c1 { fill: #3fb950 } .c2 { fill: #f0883e } .c3 { fill: #ab7df8 } .c4 { fill: #7d8590 } .c5 { fill: #f85149 }
  .s0 { stroke: #4493f8 } .s1 { stroke: #3fb950 } .s2 { stroke: #f0883e } .s3 { stroke: #ab7df8 } .s4 { stroke: #7d8590 } .s5 { stroke: #f85149 }
}
`

// Colors by their number in the style.
const (
	blue = iota
	green
	orange
	violet
	gray
	red
)

// canvas draws an SVG picture. Lengths are in pixels, from the upper left corner.
type canvas struct{ b bytes.Buffer }

// anchor says where in a text its x is.
type anchor string

const (
	start  anchor = "start"
	middle anchor = "middle"
	end    anchor = "end"
)

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(&c.b, format+"\n", args...) }

// text writes s, in the style of a class.
func (c *canvas) text(x, y float64, class string, a anchor, s string) {
	c.add(`<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`, x, y, class, a, escaped(s))
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string) {
	c.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, x1, y1, x2, y2, class)
}

func (c *canvas) rect(x, y, width, height float64, class string) {
	c.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3" class="%s"/>`, x, y, width, height, class)
}

func (c *canvas) circle(x, y, r float64, class string) {
	c.add(`<circle cx="%.1f" cy="%.1f" r="%.1f" class="%s"/>`, x, y, r, class)
}

// arrow draws a line from left to right or back, with a head in the color.
func (c *canvas) arrow(x1, x2, y float64, color int, dashed bool) {
	class, back := fmt.Sprintf("line s%d", color), 7.0
	if dashed {
		class += " dash"
	}
	if x2 < x1 {
		back = -back
	}
	c.line(x1, y, x2-back, y, class)
	c.add(`<path d="M%.1f %.1f l%.1f -4 v8 z" class="c%d"/>`, x2, y, -back, color)
}

// picture is the finished file. The title is for those who cannot see it.
func (c *canvas) picture(width, height float64, title string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", escaped(title), style)
	fmt.Fprintf(&b, `<rect x="0.5" y="0.5" width="%.0f" height="%.0f" rx="8" class="ground"/>`+"\n", width-1, height-1)
	b.Write(c.b.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a Buffer takes all
	return b.String()
}

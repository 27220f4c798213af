package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
)

// Commands that the gateway has beside OpenThread's.
const (
	commandText   = "text"
	commandBoards = "boards"
	commandNodes  = "nodes"
	commandHelp   = "help"
)

// cliError is an error in the words of OpenThread's command line.
type cliError string

func (e cliError) Error() string { return string(e) }

const errTextArgs = cliError("Error 7: InvalidArgs (text MAC WORDS…)")

// command executes a line of the control socket: one of the gateway's own, else one of OpenThread's.
func (g *gateway) command(ctx context.Context, line string) (string, error) {
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case commandText:
		node, text, ok := strings.Cut(rest, " ")
		if !ok {
			return "", errTextArgs
		}
		if err := g.text(ctx, node, strings.TrimSpace(text)); err != nil {
			return "", err
		}
		return stageDelivered + "\r\n", nil
	case commandBoards:
		return g.listBoards(), nil
	case commandNodes:
		return g.listNodes(), nil
	case commandHelp:
		text, err := g.node.CLI(ctx, line)
		return text + strings.Join([]string{commandBoards, commandNodes, commandText}, "\r\n") + "\r\n", err
	}
	return g.node.CLI(ctx, line)
}

// listBoards lists the boards with Pycom's library that have been heard.
func (g *gateway) listBoards() string {
	var b strings.Builder
	for _, o := range g.boards.Known() {
		fmt.Fprintf(&b, "%04x", o.MAC)
		if !o.Seen.IsZero() {
			fmt.Fprintf(&b, " heard %v ago", time.Since(o.Seen).Round(time.Second))
		}
		if o.Info.Positioned() {
			fmt.Fprintf(&b, ", at %.5f %.5f", o.Info.Latitude, o.Info.Longitude)
		}
		for _, n := range o.Info.Neighbors {
			fmt.Fprintf(&b, ", hears %04x at %d dBm", n.MAC, n.RSSI)
		}
		b.WriteString("\r\n")
	}
	return b.String()
}

// listNodes lists the nodes of the map.
func (g *gateway) listNodes() string {
	var b strings.Builder
	for _, n := range g.view.Snapshot().Nodes {
		heard := "never heard"
		switch {
		case n.Self:
			heard = "this gateway"
		case n.Heard > 0:
			heard = fmt.Sprintf("heard %v ago", time.Duration(math.Max(0, float64(time.Since(time.UnixMilli(n.Heard))))).Round(time.Second))
		}
		fmt.Fprintf(&b, "%s %s %s, %s\r\n", n.ID, n.RLOC16, n.Role, heard)
	}
	return b.String()
}

package cli

import (
	"slices"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/mac"
)

// anyNode stands for all nodes in macfilter rss.
const anyNode = "*"

func (i *Interpreter) macfilter(args []string) error {
	f := i.view.Filter
	switch {
	case len(args) == 0:
		i.printf("Address Mode: %s\r\n", filterMode(f.Mode()))
		i.printListed(f)
		i.printf("RssIn List:\r\n")
		i.printFixed(f, "Default rss : ")
		return nil
	case args[0] == "addr":
		return i.filterAddr(f, args[1:])
	case args[0] == "rss":
		return i.filterRSS(f, args[1:])
	}
	return InvalidArgs
}

func filterMode(m mac.FilterMode) string {
	return [...]string{mac.FilterOff: "Disabled", mac.FilterWhitelist: "Whitelist", mac.FilterBlacklist: "Blacklist"}[m]
}

func (i *Interpreter) printListed(f *mac.Filter) {
	for _, en := range f.Entries() {
		if en.Listed {
			i.printf("%x", [8]byte(en.ExtAddr))
			if en.Fixed {
				i.printf(" : ")
				i.printRSS(en.RSSI)
			} else {
				i.printf("\r\n")
			}
		}
	}
}

// printFixed lists the fixed signal strengths. label is how that of all other nodes is called.
func (i *Interpreter) printFixed(f *mac.Filter, label string) {
	for _, en := range f.Entries() {
		if en.Fixed {
			i.printf("%x : ", [8]byte(en.ExtAddr))
			i.printRSS(en.RSSI)
		}
	}
	if rssi, ok := f.RSSI(); ok {
		i.printf("%s%d (lqi %d)\r\n", label, rssi, i.view.LinkQuality(rssi))
	}
}

func (i *Interpreter) printRSS(rssi int) {
	i.printf("rss %d (lqi %d)\r\n", rssi, i.view.LinkQuality(rssi))
}

func (i *Interpreter) filterAddr(f *mac.Filter, args []string) error {
	if len(args) == 0 {
		i.printf("%s\r\n", filterMode(f.Mode()))
		i.printListed(f)
		return nil
	}
	words := map[string][]int{ // the numbers of words that each subcommand takes
		"disable": {1}, "whitelist": {1}, "blacklist": {1}, "clear": {1}, "add": {2, 3}, "remove": {2},
	}
	if !slices.Contains(words[args[0]], len(args)) {
		return InvalidArgs
	}
	var a ieee802154.ExtAddr
	var err error
	if len(args) > 1 {
		if a, err = parseExtAddr(args[1]); err != nil {
			return err
		}
	}
	switch args[0] {
	case "disable":
		f.SetMode(mac.FilterOff)
	case "whitelist":
		f.SetMode(mac.FilterWhitelist)
	case "blacklist":
		f.SetMode(mac.FilterBlacklist)
	case "clear":
		f.UnlistAll()
	case "remove":
		return f.Unlist(a)
	case "add":
		if len(args) == 2 {
			return f.List(a)
		}
		rssi, err := parseLong(args[2])
		if err != nil {
			return err
		}
		if err := f.List(a); err != nil && err != thread.ErrExists {
			return err
		}
		return f.Fix(a, int(int8(rssi)))
	}
	return nil
}

func (i *Interpreter) filterRSS(f *mac.Filter, args []string) error {
	if len(args) == 0 {
		i.printFixed(f, "Default rss: ")
		return nil
	}
	switch {
	case args[0] == "clear":
		f.UnfixEach()
		return nil
	case (args[0] == "add" || args[0] == "add-lqi") && len(args) == 3, args[0] == "remove" && len(args) == 2:
	default:
		return InvalidArgs
	}
	var rssi int
	switch args[0] {
	case "add":
		v, err := parseLong(args[2])
		if err != nil {
			return err
		}
		rssi = int(int8(v))
	case "add-lqi":
		var err error
		if rssi, err = i.parseQuality(args[2]); err != nil {
			return err
		}
	}
	if args[1] == anyNode {
		if args[0] == "remove" {
			f.UnfixAll()
		} else {
			f.FixAll(rssi)
		}
		return nil
	}
	a, err := parseExtAddr(args[1])
	switch {
	case err != nil:
		return err
	case args[0] == "remove":
		return f.Unfix(a)
	}
	return f.Fix(a, rssi)
}

// parseQuality parses a link quality, 0 to 3, and returns a signal strength that has it.
func (i *Interpreter) parseQuality(s string) (rssi int, err error) {
	v, err := parseLong(s)
	if err != nil {
		return 0, err
	}
	const best = 3
	quality := uint8(v)
	if quality > best {
		return 0, Parse
	}
	return i.view.RSSIOf(quality), nil
}

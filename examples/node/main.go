// Node is a node of a Pymesh on a Raspberry Pi with a LoRa hat. It takes part in the mesh, answers pings and the datagrams that
// reach its UDP port, and logs what happens.
//
//	go run ./examples/node -board dragino -region EU868 -frequency 868.1 -key-file key.hex
//	go run ./examples/node -config node.json
//	go run ./examples/node -emulated                # an emulated chip among simulated nodes
//
// It runs as a systemd service with the unit pymesh-node.service, which stands beside this file and says how.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/internal/hat"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// pycomPort is the UDP port that Pycom's examples use.
const pycomPort = 1234

const usage = `Node is a node of a Pymesh on a Raspberry Pi with a LoRa hat. It takes part in the mesh,
answers pings and the datagrams that reach its UDP port, and logs what happens.

Usage:
  node [flags]

All flags but -config may stand in a JSON file as well, such as
  {"board": "dragino", "frequency": 868.1, "key-file": "/etc/pymesh/key"}
What is given on the command line has precedence.

If the hat does not work, examples/radiotest says why.

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

// program is what the flags say.
type program struct {
	hat      *hat.Flags
	key      []byte
	keyText  string
	keyFile  string
	store    string
	capture  string
	port     uint
	status   time.Duration
	duration time.Duration
	noLimit  bool
	emulated bool

	recoverStore bool
	verbose      bool
	log          *slog.Logger
	supervise    *supervisor
}

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, stderr io.Writer) int {
	p, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "node: %v (node -h explains)\n", err)
		return exitUsage
	}
	level := slog.LevelInfo
	if p.verbose {
		level = slog.LevelDebug
	}
	p.log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level, ReplaceAttr: journal()}))
	p.supervise = newSupervisor(os.Getenv)
	if err := p.run(ctx); err != nil && ctx.Err() == nil {
		p.log.Error("node ends", "err", err)
		return exitFailure
	}
	return 0
}

// journal returns what drops the time from log lines that go to systemd's journal, which has it.
func journal() func(groups []string, a slog.Attr) slog.Attr {
	if os.Getenv("JOURNAL_STREAM") == "" {
		return nil
	}
	return func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
}

// parse reads the flags and the file.
func parse(args []string, usageTo io.Writer) (*program, error) {
	p := new(program)
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors are the caller's to print
	flags.Usage = func() {}
	config := flags.String("config", "", "JSON `file` with values for flags")
	p.hat = hat.Register(flags)
	flags.StringVar(&p.keyText, "key", "", "network key in `hexadecimal`, 1 to 16 bytes; other users of this computer can see it, unlike that in a file")
	flags.StringVar(&p.keyFile, "key-file", credential("key"), "`file` with the network key in hexadecimal")
	flags.StringVar(&p.store, "store", stateFile(), "`file` that keeps what must survive a restart")
	flags.BoolVar(&p.recoverStore, "recover-store", false, "if that file is damaged, put it aside and go on from the one before it, .previous")
	flags.StringVar(&p.capture, "pcap", "", "write all packets to `file`, for Wireshark or examples/sniff")
	flags.UintVar(&p.port, "udp", pycomPort, "UDP `port` on which datagrams are answered")
	flags.DurationVar(&p.status, "status", 10*time.Minute, "`time` between log lines with the state of node and radio")
	flags.DurationVar(&p.duration, "duration", 0, "`time` after which the node ends; 0 for never")
	flags.BoolVar(&p.noLimit, "no-duty-cycle", false, "do not keep to the region's duty cycle")
	flags.BoolVar(&p.emulated, "emulated", false, "emulate the chip, among simulated nodes; time passes 20 times as fast, and the node ends after 10 minutes")
	flags.BoolVar(&p.verbose, "v", false, "log messages and packets, too")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(usageTo, usage)
			flags.SetOutput(usageTo)
			flags.PrintDefaults()
		}
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q: there are flags only", flags.Arg(0))
	}
	if *config != "" {
		if err := readConfig(flags, *config); err != nil {
			return nil, err
		}
	}
	return p, p.complete()
}

// readConfig sets the flags that a file names and the command line does not.
func readConfig(flags *flag.FlagSet, name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(b, &values); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	given := map[string]bool{"config": true}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for key, raw := range values {
		f := flags.Lookup(key)
		if f == nil || key == "config" {
			return fmt.Errorf("%s: there is no %q", name, key)
		}
		if given[key] {
			continue
		}
		text := string(raw)
		if raw[0] == '"' {
			if err := json.Unmarshal(raw, &text); err != nil {
				return fmt.Errorf("%s: %s: %w", name, key, err)
			}
		}
		if err := flags.Set(key, text); err != nil {
			return fmt.Errorf("%s: %s %s: %w", name, key, raw, err)
		}
	}
	return nil
}

// complete checks the flags.
func (p *program) complete() error {
	if _, err := p.hat.Config(); err != nil {
		return err
	}
	if _, err := p.hat.Board(); err != nil {
		return err
	}
	if p.port > 0xffff {
		return fmt.Errorf("-udp %d is not a port", p.port)
	}
	if p.status <= 0 || p.duration < 0 {
		return errors.New("-status must be positive and -duration not negative")
	}
	text := p.keyText
	if text == "" && p.keyFile != "" {
		b, err := os.ReadFile(p.keyFile)
		if err != nil {
			return err
		}
		text = strings.TrimSpace(string(b))
	}
	if text != "" {
		key, err := hex.DecodeString(text)
		if err != nil || len(key) == 0 || len(key) > pymesh.MaxKeySize {
			return fmt.Errorf("the key is not 1 to %d bytes in hexadecimal", pymesh.MaxKeySize)
		}
		p.key = key
	}
	if p.emulated && p.duration == 0 {
		p.duration = 10 * time.Minute
	}
	return nil
}

// credential returns the path of a credential that systemd passes (LoadCredential=), or "".
func credential(name string) string {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return ""
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// stateFile returns where the settings are by default: in the directory that systemd gives (StateDirectory=), or here.
func stateFile() string {
	return filepath.Join(os.Getenv("STATE_DIRECTORY"), "pymesh-node.json")
}

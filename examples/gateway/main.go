// Gateway is a daemon for a Raspberry Pi with a LoRa hat: a node of a mesh that shows and publishes what happens there, and, if wanted, the way
// between the mesh, the host and the world.
//
//	gateway -emulated                        a living mesh, without hardware or broker: open http://127.0.0.1:8080/
//	gateway -config /etc/pymesh/gateway.toml
//	gateway -config /etc/pymesh/gateway.toml -check
//	gateway ctl -socket /run/pymesh/gateway.sock neighbor table
package main

import (
	"bufio"
	"cmp"
	"context"
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

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/broker"
	"github.com/gopymesh/pymesh/examples/gateway/internal/control"
	"github.com/gopymesh/pymesh/examples/gateway/internal/pycom"
	"github.com/gopymesh/pymesh/examples/internal/about"
	"github.com/gopymesh/pymesh/lora"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

const usage = `Gateway is a node of a mesh that publishes what happens there to an MQTT broker, shows it
on a web page, and joins the mesh with the host and the world as far as you allow.

Usage:
  gateway -emulated                 a living mesh of simulated nodes; open http://127.0.0.1:8080/
  gateway -config FILE              FILE is explained in gateway.toml
  gateway -config FILE -check       look at the file and at the host, and start nothing
  gateway ctl [-socket FILE] [-json] COMMAND…   one command of OpenThread's command line;
                                    without any, those of its input, one a line

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "ctl" {
		return ctl(ctx, args[1:], os.Stdin, stdout, stderr)
	}
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	file := flags.String("config", "", "configuration `FILE`")
	check := flags.Bool("check", false, "look at the configuration and the host, and start nothing")
	emulated := flags.Bool("emulated", false, "a simulated mesh in place of the radio, and a broker in the process if mqtt.url is not set")
	listen := flags.String("web", "", "`ADDRESS` of the web page, in place of web.listen")
	verbose := flags.Bool("v", false, "log more")
	showVersion := about.Register(flags)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "gateway: %q: there are flags only, and ctl; see -h\n", flags.Arg(0))
		return exitUsage
	case *showVersion:
		fmt.Fprintln(stdout, about.Version("gateway"))
		return 0
	case *file == "" && !*emulated:
		fmt.Fprintln(stderr, "gateway: -config FILE, or -emulated for a look around; see -h")
		return exitUsage
	}
	cfg, err := configure(*file, *listen)
	if err != nil {
		fmt.Fprintf(stderr, "gateway: %v\n", err)
		return exitUsage
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	p := &program{cfg: cfg, emulated: *emulated, out: stdout, log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))}
	if *check {
		return p.check(ctx, stdout, stderr)
	}
	if err := p.prepare(); err != nil {
		fmt.Fprintf(stderr, "gateway: %v\n", err)
		return exitUsage
	}
	if err := p.live(ctx); err != nil {
		fmt.Fprintf(stderr, "gateway: %v\n", err)
		return exitFailure
	}
	return 0
}

// configure reads the configuration file, if there is one, and puts the flag's address of the page in place of the file's.
func configure(file, listen string) (cfg config, err error) {
	cfg = defaults()
	if file != "" {
		if cfg, err = loadConfig(file); err != nil {
			return config{}, err
		}
	}
	if listen != "" {
		cfg.Web.Listen = listen
		if err := cfg.validateWeb(); err != nil {
			return config{}, fmt.Errorf("-web: %w", err)
		}
	}
	return cfg, nil
}

// program is the gateway before it runs.
type program struct {
	cfg      config
	emulated bool
	out      io.Writer
	log      *slog.Logger
	key      pymesh.Key
}

// prepare looks at all settings before anything is opened.
func (p *program) prepare() (err error) {
	if p.emulated {
		p.key = pymesh.NewKey()
		return nil
	}
	if p.key, err = p.cfg.key(); err != nil {
		return err
	}
	if p.cfg.Mesh.Store == "" {
		return errors.New("mesh.store: a file is needed that keeps who this node is, such as /var/lib/pymesh/gateway.store")
	}
	_, err = p.cfg.hat()
	return err
}

// live opens radio and store, and lets the gateway live until ctx ends.
func (p *program) live(ctx context.Context) (err error) {
	if p.emulated {
		return p.liveEmulated(ctx)
	}
	store, err := pymesh.OpenFileStore(p.cfg.Mesh.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	flags, err := p.cfg.hat()
	if err != nil {
		return err
	}
	chip, err := flags.Open(p.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chip.Close()) }()
	radio := lora.Govern(chip, lora.WithLogger(p.log), lora.WithAirtimeStore(store))
	node, err := pymesh.New(radio, pymesh.WithKey(p.key), pymesh.WithStore(store), pymesh.WithLogger(p.log), pymesh.WithPycomAddress())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	return p.serve(ctx, node, radio)
}

// liveEmulated lets the gateway live among simulated nodes. What the configuration does not have is there all the same, to look at.
func (p *program) liveEmulated(ctx context.Context) (err error) {
	p.cfg.Map.Budget = max(p.cfg.Map.Budget, emulatedLooks)
	if p.cfg.Control.Socket == "" {
		var dir string
		if dir, err = os.MkdirTemp("", "pymesh-gateway-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		p.cfg.Control.Socket = filepath.Join(dir, "socket")
		fmt.Fprintf(p.out, "ctl:    gateway ctl -socket %s nodes\n", p.cfg.Control.Socket)
	}
	if p.cfg.MQTT.URL == "" {
		var b *broker.Broker
		if b, err = p.ownBroker(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.Close()) }()
	}
	f, err := newField(p.key, emulatedNodes, emulatedSpeed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	node, err := pymesh.New(f.own, pymesh.WithKey(p.key), pymesh.WithLogger(p.log), pymesh.WithMAC(0x70b3d54990000001),
		pymesh.WithStore(new(pymesh.MemoryStore)), pymesh.WithPycomAddress())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	f.talk(ctx, node)
	fmt.Fprintf(p.out, "beside: a node with the password %s, which the page can let in\n", newcomerPassword)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f.wg.Go(func() { f.join(ctx) })
	return p.serve(ctx, node, f.own)
}

// ownBroker starts a broker in the process, which may send to the simulated nodes.
func (p *program) ownBroker() (*broker.Broker, error) {
	c := &p.cfg.MQTT
	b, err := broker.Start(cmp.Or(c.Broker, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	c.URL = b.URL()
	if len(c.DownlinkPorts) == 0 {
		c.Downlink, c.DownlinkPorts, c.HomeAssistant = true, []int{pycom.Port}, true
	}
	port := c.URL[strings.LastIndexByte(c.URL, ':')+1:]
	fmt.Fprintf(p.out, "broker: mosquitto_sub -V 5 -p %s -v -t '#'\n", port)
	fmt.Fprintf(p.out, "text:   mosquitto_pub -V 5 -p %s -t %s/%s/node/%016x/text -D publish response-topic answer -m hello\n",
		port, c.Prefix, p.cfg.Mesh.Name, uint64(emulatedMAC))
	return b, nil
}

// serve runs the gateway on a node.
func (p *program) serve(ctx context.Context, node *pymesh.Node, radio lora.Radio) (err error) {
	g, err := newGateway(ctx, p.cfg, node, radio, p.log)
	if err != nil {
		return err
	}
	if g.web != nil {
		fmt.Fprintf(p.out, "page:   http://%s/\n", g.web.Addr())
	}
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	defer func() {
		_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
		err = errors.Join(err, g.close())
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g.wg.Go(func() { watchdog(ctx, node) })
	return g.run(ctx)
}

// converse takes commands from lines, one after the other, and prints the answers with their last lines, as ot-ctl does.
func converse(ctx context.Context, socket string, stdin io.Reader, stdout, stderr io.Writer) int {
	c, err := control.Dial(ctx, socket)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	defer c.Close()
	terminal := false
	if f, ok := stdin.(*os.File); ok {
		info, err := f.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	lines := make(chan string)
	go func() { // which a read may hold for ever
		defer close(lines)
		for in := bufio.NewScanner(stdin); in.Scan(); {
			lines <- strings.TrimSpace(in.Text())
		}
	}()
	for {
		if terminal {
			fmt.Fprint(stdout, "> ")
		}
		select {
		case <-ctx.Done():
			return 0
		case line, ok := <-lines:
			if !ok {
				return 0
			}
			if line == "" {
				continue
			}
			text, err := c.Ask(line)
			switch {
			case err == nil:
				text += "Done\n"
			case errors.Is(err, control.ErrRefused):
				text += lastLine(err) + "\n"
			default:
				fmt.Fprintln(stderr, err)
				return exitFailure
			}
			fmt.Fprint(stdout, text)
		}
	}
}

// ctl speaks to a gateway that runs.
func ctl(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("gateway ctl", flag.ContinueOnError)
	flags.SetOutput(stderr)
	socket := flags.String("socket", "/run/pymesh/gateway.sock", "control socket of the gateway")
	asJSON := flags.Bool("json", false, "print the answer as JSON: lines and error")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	case flags.NArg() == 0 && *asJSON:
		fmt.Fprintln(stderr, "gateway ctl: -json needs a command of OpenThread's command line, such as state, neighbor table, help")
		return exitUsage
	case flags.NArg() == 0:
		return converse(ctx, *socket, stdin, stdout, stderr)
	}
	text, err := control.Ask(ctx, *socket, strings.Join(flags.Args(), " "))
	if *asJSON {
		answer := struct {
			Lines []string `json:"lines"`
			Error string   `json:"error,omitempty"`
		}{Lines: strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })}
		if err != nil {
			answer.Error = lastLine(err)
		}
		_ = json.NewEncoder(stdout).Encode(answer)
	} else {
		fmt.Fprint(stdout, text)
		if err != nil {
			fmt.Fprintln(stderr, lastLine(err))
		}
	}
	if err != nil {
		return exitFailure
	}
	return 0
}

// lastLine is an error as the gateway has told it, "Error 6: Parse".
func lastLine(err error) string {
	return strings.TrimPrefix(err.Error(), control.ErrRefused.Error()+": ")
}

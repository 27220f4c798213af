package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/internal/hat"
	"github.com/gopymesh/pymesh/netif"
)

// config is the configuration file. Its fields are explained in gateway.toml.
type config struct {
	Mesh struct {
		Name       string  `toml:"name"`
		Board      string  `toml:"board"`
		Region     string  `toml:"region"`
		Frequency  float64 `toml:"frequency_mhz"`
		Bandwidth  float64 `toml:"bandwidth_khz"`
		SF         int     `toml:"sf"`
		Power      int     `toml:"power_dbm"`
		Key        string  `toml:"key"`
		KeyFile    string  `toml:"key_file"`
		DefaultKey bool    `toml:"default_key"`
		Store      string  `toml:"store"`
		Ports      []int   `toml:"ports"`
		Latitude   float64 `toml:"latitude"`
		Longitude  float64 `toml:"longitude"`
	} `toml:"mesh"`
	Host struct {
		Interface string   `toml:"interface"`
		TCP       bool     `toml:"tcp"`
		Share     float64  `toml:"airtime_share"`
		Routes    []string `toml:"routes"`
	} `toml:"host"`
	BorderRouter struct {
		Enabled    bool     `toml:"enabled"`
		Prefix     string   `toml:"prefix"`
		Preference string   `toml:"preference"`
		Uplink     string   `toml:"uplink"`
		Rules      []string `toml:"rules"`
	} `toml:"border_router"`
	MQTT struct {
		URL             string   `toml:"url"`
		User            string   `toml:"user"`
		PasswordFile    string   `toml:"password_file"`
		CAFile          string   `toml:"ca_file"`
		Prefix          string   `toml:"prefix"`
		Spool           string   `toml:"spool"`
		SpoolMiB        int      `toml:"spool_mib"`
		Downlink        bool     `toml:"downlink"`
		DownlinkPorts   []int    `toml:"downlink_ports"`
		DownlinkAirtime duration `toml:"downlink_airtime_per_hour"`
		HomeAssistant   bool     `toml:"home_assistant"`
		Broker          string   `toml:"broker"`
	} `toml:"mqtt"`
	Web struct {
		Listen    string   `toml:"listen"`
		TokenFile string   `toml:"token_file"`
		Hosts     []string `toml:"hosts"`
	} `toml:"web"`
	Commissioner outsideConfig `toml:"commissioner"`
	Control      struct {
		Socket string `toml:"socket"`
	} `toml:"control"`
	Map struct {
		Budget   duration `toml:"airtime_per_hour"`
		Children bool     `toml:"children"`
	} `toml:"map"`

	dir string // of the file
}

// duration is written as "36s".
type duration time.Duration

func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return err
	}
	if v < 0 {
		return fmt.Errorf("%q is negative", b)
	}
	*d = duration(v)
	return nil
}

// defaults are the configuration of an empty file.
func defaults() config {
	var c config
	c.Mesh.Name, c.Mesh.Ports = "mesh", []int{1234, 4000}
	c.MQTT.Prefix, c.MQTT.SpoolMiB, c.MQTT.DownlinkAirtime = "pymesh", 16, duration(10*time.Second)
	c.Web.Listen = "127.0.0.1:8080"
	c.Commissioner.MDNS = true
	c.Map.Budget, c.Map.Children = duration(10*time.Second), true
	return c
}

// parseConfig reads a configuration. An unknown key, a wrong type or value is an error with its line.
func parseConfig(b []byte) (config, error) {
	c := defaults()
	d := toml.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		var strict *toml.StrictMissingError
		var bad *toml.DecodeError
		switch {
		case errors.As(err, &strict):
			row, _ := strict.Errors[0].Position()
			return config{}, fmt.Errorf("line %d: there is no setting %s", row, strings.Join(strict.Errors[0].Key(), "."))
		case errors.As(err, &bad):
			row, column := bad.Position()
			return config{}, fmt.Errorf("line %d, column %d: %w", row, column, err)
		}
		return config{}, err
	}
	return c, c.validate()
}

// loadConfig reads a configuration file.
func loadConfig(name string) (config, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return config{}, err
	}
	c, err := parseConfig(b)
	if err != nil {
		return config{}, fmt.Errorf("%s: %w", name, err)
	}
	c.dir = filepath.Dir(name)
	return c, nil
}

const maxPort = 65535

func (c *config) validate() error {
	if c.Mesh.Name == "" || strings.ContainsAny(c.Mesh.Name, "/+#\x00") {
		return fmt.Errorf("mesh.name %q: a word for topics, without / + and #", c.Mesh.Name)
	}
	if c.MQTT.Prefix == "" || strings.ContainsAny(c.MQTT.Prefix, "+#\x00") {
		return fmt.Errorf("mqtt.prefix %q: the beginning of topics, without + and #", c.MQTT.Prefix)
	}
	for _, p := range append(append([]int{}, c.Mesh.Ports...), c.MQTT.DownlinkPorts...) {
		if p < 1024 || p > maxPort {
			return fmt.Errorf("port %d is not in 1024 to %d", p, maxPort)
		}
	}
	if !(math.Abs(c.Mesh.Latitude) <= 90 && math.Abs(c.Mesh.Longitude) <= 180) {
		return fmt.Errorf("mesh.latitude %v, mesh.longitude %v: degrees, at most 90 and 180", c.Mesh.Latitude, c.Mesh.Longitude)
	}
	if c.MQTT.SpoolMiB < 1 || c.MQTT.SpoolMiB > 1024 {
		return fmt.Errorf("mqtt.spool_mib %d is not in 1 to 1024", c.MQTT.SpoolMiB)
	}
	if c.MQTT.URL != "" {
		u, err := url.Parse(c.MQTT.URL)
		if err != nil || u.Host == "" || u.Scheme != "mqtt" && u.Scheme != "mqtts" {
			return fmt.Errorf("mqtt.url %q: mqtt://HOST:1883 or mqtts://HOST:8883", c.MQTT.URL)
		}
		if u.User != nil {
			return errors.New("mqtt.url: the password belongs into mqtt.password_file, the name into mqtt.user")
		}
		if u.Port() == "" {
			u.Host = net.JoinHostPort(u.Hostname(), map[string]string{"mqtt": "1883", "mqtts": "8883"}[u.Scheme])
			c.MQTT.URL = u.String()
		}
	}
	if c.MQTT.Downlink && len(c.MQTT.DownlinkPorts) == 0 {
		return errors.New("mqtt.downlink without mqtt.downlink_ports lets nothing pass: name the ports")
	}
	return errors.Join(c.validateHost(), c.validateWeb(), c.validateBorder(), c.Commissioner.validate())
}

func (c *config) validateHost() error {
	if s := c.Host.Share; !(s >= 0 && s <= 1) {
		return fmt.Errorf("host.airtime_share %v is not 0 to 1", s)
	}
	_, err := c.routes()
	return err
}

// routes are the destinations beyond the mesh that the host reaches through it.
func (c *config) routes() (list []netip.Prefix, err error) {
	for _, text := range c.Host.Routes {
		p, err := netip.ParsePrefix(text)
		if err != nil || !p.Addr().Is6() || p.Addr().Is4In6() || p != p.Masked() {
			return nil, fmt.Errorf("host.routes: %q is no prefix of IPv6, such as 2001:db8::/32 or ::/0", text)
		}
		list = append(list, p)
	}
	return list, nil
}

func (c *config) validateWeb() error {
	if c.Web.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Web.Listen)
	if err != nil {
		return fmt.Errorf("web.listen %q: %w", c.Web.Listen, err)
	}
	if a, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !a.IsLoopback()) && c.Web.TokenFile == "" {
		return fmt.Errorf("web.listen %q is not loopback: that needs web.token_file, a file with a secret", c.Web.Listen)
	}
	return nil
}

func (c *config) validateBorder() error {
	if _, err := c.border(); err != nil {
		return fmt.Errorf("border_router: %w", err)
	}
	return nil
}

// border is the border router as package netif wants it, nil if there is none.
func (c *config) border() (*netif.BorderRouter, error) {
	b := &netif.BorderRouter{Uplink: c.BorderRouter.Uplink}
	switch c.BorderRouter.Preference {
	case "low":
		b.Preference = pymesh.Low
	case "", "normal":
	case "high":
		b.Preference = pymesh.High
	default:
		return nil, fmt.Errorf("preference %q is none of low, normal, high", c.BorderRouter.Preference)
	}
	if c.BorderRouter.Prefix != "" {
		p, err := netip.ParsePrefix(c.BorderRouter.Prefix)
		if err != nil || !p.Addr().Is6() || p.Bits() != 64 || p != p.Masked() {
			return nil, fmt.Errorf("prefix %q is no /64 of IPv6, such as fd12:3456:789a:1::/64", c.BorderRouter.Prefix)
		}
		b.Prefix = p
	}
	for _, text := range c.BorderRouter.Rules {
		r, err := netif.ParseRule(text)
		if err != nil {
			return nil, err
		}
		b.Rules = append(b.Rules, r)
	}
	if !c.BorderRouter.Enabled {
		return nil, nil
	}
	return b, nil
}

// secret reads a secret from a file: named by its path, or by its name alone among those that systemd hands over (LoadCredential=), and without
// systemd beside the configuration file.
func (c *config) secret(what, name string) (string, error) {
	if !strings.Contains(name, "/") {
		name = filepath.Join(cmp.Or(os.Getenv("CREDENTIALS_DIRECTORY"), c.dir), name)
	}
	b, err := os.ReadFile(name)
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" && filepath.Dir(name) == filepath.Clean(dir) && errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w: the unit needs LoadCredential=%s:FILE", what, err, filepath.Base(name))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", fmt.Errorf("%s: %s is empty", what, name)
	}
	return s, nil
}

// key is the mesh's network key.
func (c *config) key() (pymesh.Key, error) {
	text := c.Mesh.Key
	switch {
	case c.Mesh.DefaultKey:
		return pymesh.DefaultKey(), nil
	case c.Mesh.KeyFile != "":
		var err error
		if text, err = c.secret("mesh.key_file", c.Mesh.KeyFile); err != nil {
			return pymesh.Key{}, err
		}
	case text == "":
		return pymesh.Key{}, errors.New("no key: mesh.key_file names a file with 32 hexadecimal digits (openssl rand -hex 16 makes one); " +
			"mesh.default_key = true takes the documented one, which is no secret")
	}
	return pymesh.ParseKey(text)
}

// hat gives the settings of the radio to the flags that the other programs have.
func (c *config) hat() (*hat.Flags, error) {
	set := flag.NewFlagSet("mesh", flag.ContinueOnError)
	f := hat.Register(set)
	values := map[string]string{"board": c.Mesh.Board, "region": c.Mesh.Region}
	for name, v := range map[string]float64{"frequency": c.Mesh.Frequency, "bandwidth": c.Mesh.Bandwidth, "sf": float64(c.Mesh.SF), "power": float64(c.Mesh.Power)} {
		if v != 0 {
			values[name] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	for name, v := range values {
		if v == "" {
			continue
		}
		if err := set.Set(name, v); err != nil {
			return nil, fmt.Errorf("mesh: %s %q: %w", name, v, err)
		}
	}
	if _, err := f.Config(); err != nil {
		return nil, fmt.Errorf("mesh: %w", err)
	}
	if _, err := f.Board(); err != nil {
		return nil, fmt.Errorf("mesh.board: %w", err)
	}
	return f, nil
}

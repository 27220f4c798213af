package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/gopymesh/pymesh/netif"
)

// dialWait is how long -check waits for the broker.
const dialWait = 5 * time.Second

// check looks at the settings and the host, and says what to do.
func (p *program) check(ctx context.Context, stdout, stderr io.Writer) int {
	if err := p.prepare(); err != nil {
		fmt.Fprintf(stderr, "gateway: %v\n", err)
		return exitUsage
	}
	fmt.Fprintln(stdout, "ok    configuration")
	code := 0
	for _, f := range p.cfg.findings(ctx) {
		word := "ok   "
		if !f.OK {
			word, code = "WRONG", exitFailure
		}
		fmt.Fprintf(stdout, "%s %s: %s\n", word, f.What, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(stdout, "      %s\n", f.Remedy)
		}
	}
	return code
}

// findings are what -check finds beyond the settings themselves.
func (c *config) findings(ctx context.Context) (list []netif.Finding) {
	add := func(what, detail, remedy string, err error) {
		f := netif.Finding{What: what, OK: err == nil, Detail: detail}
		if err != nil {
			f.Detail, f.Remedy = err.Error(), remedy
		}
		list = append(list, f)
	}
	for _, s := range []struct{ what, name string }{
		{"mqtt.password_file", c.MQTT.PasswordFile}, {"web.token_file", c.Web.TokenFile}, {"commissioner.passphrase_file", c.Commissioner.Passphrase},
	} {
		if s.name != "" {
			_, err := c.secret(s.what, s.name)
			add("secret", s.what, "write the secret into the file, which nobody else may read: (umask 077; openssl rand -hex 16 >FILE)", err)
		}
	}
	for _, d := range []struct{ what, name string }{
		{"mesh.store", filepath.Dir(c.Mesh.Store)}, {"mqtt.spool", c.MQTT.Spool}, {"control.socket", filepath.Dir(c.Control.Socket)},
	} {
		if d.name != "" && d.name != "." {
			detail, err := directory(d.name)
			add(d.what, detail, "name a directory of the gateway's own", err)
		}
	}
	if c.MQTT.URL != "" {
		add("broker", c.MQTT.URL+" answers", "while it is away the gateway keeps what it has for it, and tries again; is the URL right, and the broker started?",
			c.dialBroker(ctx))
	}
	if c.Host.Interface == "" {
		return list
	}
	border, _ := c.border()
	return append(list, netif.Check(netif.CheckOptions{Name: c.Host.Interface, BorderRouter: border})...)
}

// directory looks at a directory in which something is to be kept. One that is not there may be made by systemd.
func directory(name string) (detail string, err error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return name + " is not there yet: the service makes it (StateDirectory=, RuntimeDirectory=); without it: mkdir -p " + name, nil
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%s is no directory", name)
	}
	f, err := os.CreateTemp(name, ".check-*")
	if err != nil {
		return "", fmt.Errorf("%w: this user cannot write there", err)
	}
	_ = errors.Join(f.Close(), os.Remove(f.Name()))
	return name + " is there", nil
}

// dialBroker looks whether somebody is where the broker should be, by TLS where it is to be so.
func (c *config) dialBroker(ctx context.Context) error {
	u, err := url.Parse(c.MQTT.URL)
	if err != nil {
		return err
	}
	settings, err := tlsConfig(c.MQTT.CAFile)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	dial := new(net.Dialer).DialContext
	if u.Scheme == "mqtts" {
		dial = (&tls.Dialer{Config: settings}).DialContext
	}
	conn, err := dial(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	return conn.Close()
}

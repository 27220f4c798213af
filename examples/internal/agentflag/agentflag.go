// Package agentflag gives example programs the flags by which a node is a border agent: a commissioner program on a computer or a telephone manages the
// mesh through it. It is off unless a flag says where to listen.
package agentflag

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// Flags are the values of the flags.
type Flags struct {
	listen, file string
	passed       string // a file that the supervisor passes
	passphrase   string
}

// Register adds -commissioner and -passphrase-file to a set. passed is the file of a passphrase that the program's supervisor passes, if it does: it
// counts where no flag is given.
func Register(set *flag.FlagSet, passed string) *Flags {
	f := &Flags{passed: passed}
	set.StringVar(&f.listen, "commissioner", "", "let a commissioner program manage the mesh, by way of this UDP `address` of the host, such as :49191 (default: none)")
	set.StringVar(&f.file, "passphrase-file", "", "`file` with the passphrase of the commissioner, 6 to 255 bytes in its first line")
	return f
}

// Check reads the passphrase. It fails with an error that names the flag or the file, and not the passphrase.
func (f *Flags) Check() error {
	switch {
	case f.listen == "" && f.file == "":
		return nil
	case f.listen == "":
		return errors.New("-passphrase-file is of no use without -commissioner")
	}
	if _, err := net.ResolveUDPAddr("udp", f.listen); err != nil {
		return fmt.Errorf("-commissioner: %w", err)
	}
	name := f.file
	if name == "" {
		name = f.passed
	}
	if name == "" {
		return errors.New("-commissioner needs -passphrase-file FILE, made by: openssl rand -hex 16 > FILE")
	}
	var err error
	f.passphrase, err = Read(name)
	return err
}

// Read returns the passphrase in the first line of a file.
func Read(name string) (string, error) {
	const enough = 4096
	b, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("-passphrase-file: %w", err)
	}
	line, _, _ := strings.Cut(string(b[:min(len(b), enough)]), "\n")
	line = strings.TrimSuffix(line, "\r")
	if n := len(line); n < meshcop.MinPassphraseSize || n > meshcop.MaxPassphraseSize {
		return "", fmt.Errorf("-passphrase-file %s: its first line has %d bytes, not %d to %d", name, n, meshcop.MinPassphraseSize, meshcop.MaxPassphraseSize)
	}
	return line, nil
}

// Listen opens the socket, nil if no flag asks for one.
func (f *Flags) Listen() (net.PacketConn, error) {
	if f.listen == "" {
		return nil, nil
	}
	conn, err := net.ListenPacket("udp", f.listen)
	if err != nil {
		return nil, fmt.Errorf("-commissioner: %w", err)
	}
	return conn, nil
}

// Serve serves commissioners on a socket until ctx ends or the node is closed, and closes it.
func (f *Flags) Serve(ctx context.Context, node *pymesh.Node, conn net.PacketConn, log *slog.Logger) {
	defer conn.Close()
	log.Info("commissioners are served", "udp", conn.LocalAddr())
	err := node.ServeCommissioner(ctx, conn, pymesh.BorderAgent{Passphrase: f.passphrase})
	if err != nil && ctx.Err() == nil && !errors.Is(err, pymesh.ErrClosed) {
		log.Error("commissioners are served no more", "err", err)
	}
}

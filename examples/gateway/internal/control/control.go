// Package control lets programs of the host speak OpenThread's command line to the gateway, by a unix socket: several at once, each line one
// command, whose answer ends with "Done" or "Error n: name", as ot-ctl has it.
package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	maxLine    = 1024
	maxClients = 16
	maxAnswer  = 1 << 20 // of one line
	maxPath    = 107     // of a unix socket on Linux
	timeout    = 2 * time.Minute
	// What comes after a line that is too long is read for a while, so that the client finds the answer.
	drainBytes = 16 << 20
	drainTime  = 2 * time.Second
)

// Run executes a command and returns what it prints, without the last line.
type Run func(ctx context.Context, command string) (text string, err error)

// Server serves the socket.
type Server struct {
	listener net.Listener
	run      Run
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// Start listens on a unix socket, which its owner and group may use. A socket that a crash has left is replaced; one in use is not.
func Start(ctx context.Context, path string, run Run) (*Server, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("control: %s: the name of a socket has at most %d bytes", path, maxPath)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = c.Close()
		return nil, fmt.Errorf("control: %s is in use by another gateway", path)
	case errors.Is(err, syscall.ECONNREFUSED): // nobody listens any more; what is no socket says so, too
		if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
			_ = os.Remove(path)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("control: %w", err), l.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Server{listener: l, run: run, cancel: cancel}
	s.wg.Go(func() { s.accept(ctx) })
	return s, nil
}

func (s *Server) accept(ctx context.Context) {
	clients := make(chan struct{}, maxClients)
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		select {
		case clients <- struct{}{}:
			s.wg.Go(func() { s.serve(ctx, c); <-clients })
		default:
			_, _ = fmt.Fprintf(c, "Error 5: Busy\r\n")
			_ = c.Close()
		}
	}
}

func (s *Server) serve(ctx context.Context, c net.Conn) {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if s.converse(ctx, c) {
		_ = c.SetDeadline(time.Now().Add(drainTime))
		_, _ = io.CopyN(io.Discard, c, drainBytes)
	}
}

// converse answers lines until there are no more, or one is too long, which it reports.
func (s *Server) converse(ctx context.Context, c io.ReadWriter) (tooLong bool) {
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, maxLine), maxLine)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		once, cancel := context.WithTimeout(ctx, timeout)
		text, err := s.run(once, line)
		cancel()
		end := "Done"
		if err != nil {
			end = err.Error()
			if !strings.HasPrefix(end, "Error ") {
				end = "Error 1: Failed (" + end + ")"
			}
		}
		if _, err := fmt.Fprintf(c, "%s%s\r\n", text, end); err != nil {
			return false
		}
	}
	if tooLong = errors.Is(lines.Err(), bufio.ErrTooLong); tooLong {
		_, _ = fmt.Fprintf(c, "Error 7: InvalidArgs (a line has less than %d bytes)\r\n", maxLine)
	}
	return tooLong
}

// Close ends all clients and removes the socket.
func (s *Server) Close() error {
	s.cancel()
	err := s.listener.Close()
	s.wg.Wait()
	return err
}

// ErrRefused says that a command has failed; its text is what the gateway said.
var ErrRefused = errors.New("control: refused")

// Client is a conversation with a gateway.
type Client struct {
	conn  net.Conn
	lines *bufio.Scanner
	stop  func() bool
}

// Dial begins one, which ends with ctx at the latest.
func Dial(ctx context.Context, path string) (*Client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("control: %w: does the gateway run?", err)
	}
	c := &Client{conn: conn, lines: bufio.NewScanner(conn)}
	c.lines.Buffer(nil, maxAnswer)
	c.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	return c, nil
}

// Ask sends a command and returns what it prints. An error that the gateway has told wraps ErrRefused.
func (c *Client) Ask(command string) (string, error) {
	switch {
	case strings.ContainsAny(command, "\r\n"):
		return "", errors.New("control: a command is one line")
	case len(command)+1 >= maxLine:
		return "", fmt.Errorf("control: a command of %d bytes: at most %d", len(command), maxLine-2)
	}
	if _, err := fmt.Fprintln(c.conn, command); err != nil {
		return "", fmt.Errorf("control: %w", err)
	}
	var out strings.Builder
	for c.lines.Scan() {
		line := strings.TrimRight(c.lines.Text(), "\r")
		switch {
		case line == "Done":
			return out.String(), nil
		case strings.HasPrefix(line, "Error "):
			return out.String(), fmt.Errorf("%w: %s", ErrRefused, line)
		}
		fmt.Fprintln(&out, line)
	}
	return out.String(), errors.New("control: the gateway has ended the conversation")
}

// Close ends it.
func (c *Client) Close() error {
	c.stop()
	return c.conn.Close()
}

// Ask is one command of a conversation of its own.
func Ask(ctx context.Context, path, command string) (string, error) {
	c, err := Dial(ctx, path)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return c.Ask(command)
}

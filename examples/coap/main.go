// Coap runs a CoAP library, go-coap, over a mesh: confirmable messages, and a block-wise transfer of 2 kB there and back, over three hops of a
// simulated air. It is a module of its own, so that who uses pymesh does not get what the library needs.
//
//	cd examples/coap && go run .
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	"github.com/plgd-dev/go-coap/v3/net/responsewriter"
	"github.com/plgd-dev/go-coap/v3/udp/client"
)

const (
	nodes     = 4  // in a row, each of which hears the next alone
	speed     = 25 // seconds on the air in a second
	port      = 5683
	largeSize = 2048

	tryTimeout = 5 * time.Minute / speed // of a transfer
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	row, stop, err := mesh(ctx)
	defer stop()
	if err != nil {
		return err
	}
	near, far := row[0], row[nodes-1]
	hops, err := near.Trace(ctx, far.MeshLocalEID())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d hops from one end of the mesh to the other\n", len(hops))

	// The server listens by a method with the signature of net.ListenConfig's.
	socket, err := far.ListenPacket(ctx, "udp", fmt.Sprintf("[::]:%d", port))
	if err != nil {
		return err
	}
	defer socket.Close()
	go serve(ctx, socket, echo)

	// The client dials by one with the signature of net.Dialer's.
	conn, err := near.DialContext(ctx, "udp", fmt.Sprintf("[%v]:%d", far.MeshLocalEID(), port))
	if err != nil {
		return err
	}
	c := newConn(ctx, conn, nil)
	defer c.Close()
	for _, size := range []int{12, largeSize} {
		sent := bytes.Repeat([]byte("Hello World!"), size/12+1)[:size]
		got, code, err := post(ctx, c, sent)
		if err != nil {
			return fmt.Errorf("%d bytes: %w", size, err)
		}
		if !bytes.Equal(got, sent) {
			return fmt.Errorf("%d bytes come back as %d others", size, len(got))
		}
		fmt.Fprintf(out, "%d bytes there and back: %v\n", size, code)
	}
	return nil
}

// post has a body echoed. The library sends the first block of a transfer again if it gets lost, not those that follow: what has not come to its end
// is begun anew.
func post(ctx context.Context, c *client.Conn, sent []byte) (got []byte, code codes.Code, err error) {
	const tries = 5
	for range tries {
		var answer *pool.Message
		limited, cancel := context.WithTimeout(ctx, tryTimeout)
		answer, err = c.Post(limited, "/echo", message.TextPlain, bytes.NewReader(sent))
		cancel()
		if err == nil {
			got, err = answer.ReadBody()
			return got, answer.Code(), err
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	return nil, 0, err
}

// echo answers with what it got.
func echo(w *responsewriter.ResponseWriter[*client.Conn], r *pool.Message) {
	body, err := r.ReadBody()
	if err == nil {
		err = w.SetResponse(codes.Content, message.TextPlain, bytes.NewReader(body))
	}
	if err != nil {
		log.Print(err)
	}
}

// mesh makes a mesh of nodes in a row, and waits until its ends reach each other.
func mesh(ctx context.Context) (row []*pymesh.Node, stop func(), err error) {
	stop = func() {
		for _, n := range row {
			n.Close()
		}
	}
	key := pymesh.NewKey()
	air := lorasim.NewAir(lorasim.Options{Speed: speed, Propagation: lorasim.LinksOnly})
	var last *lorasim.Radio
	for range nodes {
		radio := air.Radio(lora.Config{}, lorasim.Position{})
		if last != nil {
			air.SetLink(last, radio, -80)
		}
		last = radio
		n, err := pymesh.New(radio, pymesh.WithKey(key))
		if err != nil {
			return row, stop, err
		}
		row = append(row, n)
		if err := n.WaitAttached(ctx); err != nil {
			return row, stop, err
		}
	}
	ends := []*pymesh.Node{row[0], row[nodes-1]}
	for i, n := range ends {
		if err := n.WaitReachable(ctx, ends[1-i].MeshLocalEID()); err != nil {
			return row, stop, err
		}
	}
	return row, stop, nil
}

var _ net.Conn = (*pymesh.UDPConn)(nil)

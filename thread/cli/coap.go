package cli

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
)

const (
	coapPort = 5683 // RFC 7252 §12.6
	// maxCoAPPath is how much of a path the command line takes.
	maxCoAPPath = 31
	// maxCoAPRequests bounds the requests without an answer.
	maxCoAPRequests = 16
)

// coapService is an application's CoAP: requests to others, and one resource of its own, whose content is "0".
type coapService struct {
	endpoint *coap.Endpoint[bool] // tagged with whether the answer is shown
	started  bool
	resource string // its path
	offered  bool
}

func (s *coapService) nextTimeout() (time.Time, bool) {
	if s.endpoint == nil {
		return time.Time{}, false
	}
	return s.endpoint.NextTimeout()
}

func (s *coapService) pending() int {
	if s.endpoint == nil {
		return 0
	}
	return s.endpoint.Pending()
}

func (i *Interpreter) coapCommand(args []string) error {
	s := &i.coap
	if len(args) == 0 {
		return InvalidArgs
	}
	if s.endpoint == nil {
		s.endpoint = coap.NewEndpoint[bool](coap.Config{Timing: coap.DefaultTiming(), Rand: i.engine.Rand()})
	}
	switch args[0] {
	case "start":
		s.started = true
		i.printf("Coap service started: ")
		return nil
	case "stop":
		s.offered, s.started = false, false
		s.endpoint.Cancel(func(shown bool) bool {
			if shown {
				i.printCoAPError(Abort)
			}
			return true
		})
		i.printf("Coap service stopped: ")
		return nil
	case "resource":
		if len(args) > 1 {
			s.resource, s.offered = shorten(args[1]), true
		}
		i.printf("Resource name is '%s': ", s.resource)
		return nil
	}
	return i.coapRequest(args)
}

func shorten(path string) string { return path[:min(len(path), maxCoAPPath)] }

var coapMethods = map[string]coap.Code{"get": coap.GET, "post": coap.POST, "put": coap.PUT, "delete": coap.DELETE}

func (i *Interpreter) coapRequest(args []string) error {
	const method, address, path, kind, payload = 0, 1, 2, 3, 4
	code, ok := coapMethods[args[method]]
	if !ok || len(args) <= address {
		return InvalidArgs
	}
	dst, err := parseAddr(args[address])
	switch {
	case err != nil:
		return err
	case len(args) <= path:
		return InvalidArgs
	}
	m := coap.Message{Type: coap.NonConfirmable, Code: code, Token: i.coap.endpoint.NewToken()}
	if m.Options, err = m.Options.AppendURIPath(shorten(args[path])); err != nil {
		return InvalidArgs
	}
	if len(args) > kind && args[kind] == "con" {
		m.Type = coap.Confirmable
	}
	if len(args) > payload {
		m.Payload = []byte(args[payload])
	}
	if !i.view.IsUp() {
		i.printf("Sending coap request: ")
		return InvalidSourceAddress
	}
	if i.coap.endpoint.Pending() >= maxCoAPRequests {
		i.printf("Sending coap request: ")
		return NoBufs
	}
	to := coap.Path{Peer: netip.AddrPortFrom(dst, coapPort)}
	i.printf("Sending coap request: ")
	err = i.coap.endpoint.Request(i.now, to, m, m.Type == coap.Confirmable || code == coap.GET)
	i.drainCoAP()
	return err
}

func (i *Interpreter) handleCoAP(local netip.Addr, peer netip.AddrPort, payload []byte) {
	_ = i.coap.endpoint.HandleDatagram(i.now, coap.Path{Local: local, Peer: peer}, payload) // what is none of ours is answered there
	i.drainCoAP()
}

// drainCoAP shows what CoAP has to tell and sends what it has to send.
func (i *Interpreter) drainCoAP() {
	s := &i.coap
	for {
		ev, ok := s.endpoint.PollEvent()
		if !ok {
			break
		}
		switch {
		case ev.Kind == coap.RequestReceived:
			i.serveCoAP(ev)
		case !ev.Tag:
		case ev.Kind == coap.ResponseReceived:
			i.printf("Received coap response")
			i.printCoAPPayload(ev.Message.Payload)
		case ev.Kind == coap.RequestFailed:
			i.printCoAPError(errorOf(ev.Err))
		}
	}
	for {
		t, ok := s.endpoint.PollTransmit()
		if !ok {
			return
		}
		port := uint16(firstEphemeral)
		if s.started {
			port = coapPort
		}
		// A lost datagram is CoAP's to notice.
		_ = i.sendUDP(netip.AddrPortFrom(t.Path.Local, port), t.Path.Peer, t.Payload)
	}
}

func (i *Interpreter) printCoAPError(e Error) {
	i.printf("Error receiving coap response message: %v\r\n", e)
}

func (i *Interpreter) printCoAPPayload(b []byte) {
	if len(b) > 0 {
		i.printf(" with payload: %x", b)
	}
	i.printf("\r\n")
}

// serveCoAP answers a request.
func (i *Interpreter) serveCoAP(ev coap.Event[bool]) {
	s := &i.coap
	confirmable := ev.Message.Type == coap.Confirmable
	if !s.offered || ev.Message.Options.URIPath() != s.resource {
		if confirmable {
			s.endpoint.Respond(i.now, ev, coap.Message{Code: coap.NotFound})
		}
		return
	}
	i.printf("Received coap request from [%s]: ", formatAddr(ev.Path.Peer.Addr()))
	names := map[coap.Code]string{coap.GET: "GET", coap.POST: "POST", coap.PUT: "PUT", coap.DELETE: "DELETE"}
	name, known := names[ev.Message.Code]
	if !known {
		i.printf("Undefined\r\n")
		if confirmable {
			s.endpoint.Respond(i.now, ev, coap.Message{Code: coap.MethodNotAllowed}) // RFC 7252 §5.8
		}
		return
	}
	i.printf("%s", name)
	i.printCoAPPayload(ev.Message.Payload)
	switch {
	case ev.Message.Code == coap.GET:
		s.endpoint.Respond(i.now, ev, coap.Message{Code: coap.Content, Payload: []byte{'0'}})
	case confirmable:
		s.endpoint.Respond(i.now, ev, coap.Message{Code: coap.Valid})
	default:
		return
	}
	i.printf("coap response sent successfully!\r\n")
}

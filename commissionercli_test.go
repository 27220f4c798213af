package pymesh_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// commissionerProgram is the program commissioner-cli of OpenThread, which reads commands and answers each with a line "[done]" or "[failed]".
type commissionerProgram struct {
	t     *testing.T
	stdin io.Writer
	mu    sync.Mutex
	out   bytes.Buffer
}

func startCommissioner(t *testing.T, program string, pskc [16]byte) *commissionerProgram {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.json")
	text := fmt.Sprintf(`{"Id": "owner", "EnableCcm": false, "LogLevel": "debug", "LogFile": %q, "KeepAliveInterval": 30, "PSKc": "%x"}`,
		filepath.Join(dir, "log"), pskc)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, config)
	cmd.Dir = dir
	p := &commissionerProgram{t: t}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin, cmd.Stdout, cmd.Stderr = stdin, p, p
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s", &p.out)
		}
	})
	return p
}

// Write takes what the program prints.
func (p *commissionerProgram) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

// do gives a command, and returns what the program says and whether it was done.
func (p *commissionerProgram) do(command string) (answer string, done bool) {
	p.t.Helper()
	p.mu.Lock()
	before := p.out.Len()
	p.mu.Unlock()
	if _, err := io.WriteString(p.stdin, command+"\n"); err != nil {
		p.t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		p.mu.Lock()
		answer = p.out.String()[before:]
		p.mu.Unlock()
		if done = strings.Contains(answer, "[done]"); done || strings.Contains(answer, "[failed]") {
			p.t.Logf("%s: %v", command, done)
			return answer, done
		}
	}
	p.t.Fatalf("%s: no answer", command)
	return "", false
}

// must gives a command that has to be done, with an answer in which want occurs.
func (p *commissionerProgram) must(command, want string) {
	p.t.Helper()
	if answer, done := p.do(command); !done || !strings.Contains(answer, want) {
		p.t.Errorf("%s: %s", command, answer)
	}
}

// inRealTime makes a mesh of some nodes that live in the time of the wall clock.
func inRealTime(ctx context.Context, t *testing.T, air *lorasim.Air, count int) (nodes []*pymesh.Node) {
	t.Helper()
	key := pymesh.NewKey()
	for i := range count {
		n, err := pymesh.New(air.Radio(lora.Config{}, lorasim.Position{X: 100 * float64(i)}), pymesh.WithKey(key), pymesh.WithNetworkName("home"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		if err := n.WaitAttached(ctx); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// OpenThread's commissioner program manages a mesh of ours: with another PSKc it does not; with the right one it reads the dataset, lets a node in by
// password, asks nodes, and changes the network. It takes some minutes: the program wants to be on time.
func TestCommissionerProgram(t *testing.T) {
	program := os.Getenv("PYMESH_COMMISSIONER")
	if program == "" {
		t.Skip("PYMESH_COMMISSIONER names no commissioner-cli of OpenThread (ot-commissioner)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	air := lorasim.NewAir(lorasim.Options{Seed: 1})
	nodes := inRealTime(ctx, t, air, 3)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	port := conn.LocalAddr().(*net.UDPAddr).Port
	agent := nodes[2]
	go func() { _ = agent.ServeCommissioner(ctx, conn, pymesh.BorderAgent{Passphrase: passphrase}) }()
	pskc, err := meshcop.PSKc(passphrase, agent.Network().Name, agent.Network().ExtPANID)
	if err != nil {
		t.Fatal(err)
	}

	wrong := startCommissioner(t, program, [16]byte{1})
	if answer, done := wrong.do(fmt.Sprintf("start 127.0.0.1 %d", port)); done {
		t.Errorf("with another PSKc: %s", answer)
	}
	p := startCommissioner(t, program, pskc)
	p.must(fmt.Sprintf("start 127.0.0.1 %d", port), "")
	p.must("active", "true")
	p.must("opdataset get active", `"home"`)
	p.must("joiner enableall meshcop J01NME", "")
	p.must("commdataset get", `"SteeringData": "ff"`)
	store := pymesh.WithStore(new(pymesh.MemoryStore))
	radio := air.Radio(lora.Config{}, lorasim.Position{X: 300})
	time.Sleep(10 * time.Second)
	network, err := pymesh.Join(ctx, radio, password, store)
	if err != nil || network != agent.Network() {
		t.Fatalf("%+v, %v", network, err)
	}
	p.must("active", "true")
	p.must("opdataset set networkname away", "")
	for name := ""; name != "away" && ctx.Err() == nil; time.Sleep(time.Second) {
		name = nodes[0].Network().Name
	}
	p.must("opdataset get active", `"away"`)
	p.must("opdataset set panid 0x4712 40000", "")
	for id := uint16(0); id != 0x4712 && ctx.Err() == nil; time.Sleep(time.Second) {
		id = nodes[0].Network().PANID
	}
	time.Sleep(10 * time.Second)
	p.must("active", "true")
	p.must("commdataset get", `"SessionId"`)
	p.must("stop", "")
	time.Sleep(5 * time.Second) // the leader hears of it
	c, err := nodes[0].Commission(ctx)
	if err != nil {
		t.Fatalf("after it has resigned: %v", err)
	}
	c.Close()
}

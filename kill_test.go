package pymesh_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/internal/filestore"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

const killedStore = "PYMESH_TEST_STORE"

// TestKillInChild is a node in virtual time with a file store, which sends as much as it can. Each frame goes to standard output when it
// goes to the radio. It lives until it is killed.
func TestKillInChild(t *testing.T) {
	if os.Getenv(inChild) != t.Name() {
		t.Skip("runs in a process of its own, see TestKill")
	}
	store, err := filestore.Open(os.Getenv(killedStore), filestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := thread.New(thread.Config{
		NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(1), Timing: thread.TimingIEEE802154(), Store: store,
		Rand: meshtest.Rand(rand.Uint64(), 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	if err := e.Start(now); err != nil {
		t.Fatal(err)
	}
	group := meshtest.LinkLocal(meshtest.ExtAddr(2))
	for n := 0; ; n++ {
		if psdu, ok := e.PollTransmit(); ok {
			if _, err := os.Stdout.Write(append([]byte{byte(len(psdu))}, psdu...)); err != nil {
				t.Fatal(err)
			}
			e.HandleTransmitDone(now, nil)
			continue
		}
		e.Flush()
		if n%5000 == 4999 {
			_ = e.Console().SetKeySequence(now, e.Console().Keys.Sequence()+1)
		}
		h := ip6.Header{HopLimit: 64, Src: e.SelectSource(group), Dst: group}
		packet, err := ip6.AppendUDP(nil, h, 1000, 1000, fmt.Append(nil, n))
		if err != nil {
			t.Fatal(err)
		}
		_ = e.HandlePacket(now, packet) // a full queue is as good
		if at, ok := e.NextTimeout(); ok && at.After(now) {
			now = at
		}
		e.HandleTimeout(now)
	}
}

// killed lets a node live with a store and kills it, some time after its start or after its first frame. It hands on the frames.
func killed(t *testing.T, path string, r *rand.Rand, frame func(psdu []byte)) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(program, "-test.run=^TestKillInChild$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), inChild+"=TestKillInChild", killedStore+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { _ = cmd.Process.Kill() } // unless it has ended, which shows below
	in := bufio.NewReader(out)
	if r.IntN(8) == 0 {
		time.AfterFunc(time.Duration(r.IntN(50_000))*time.Microsecond, kill)
	} else {
		_, _ = in.Peek(1)
		time.AfterFunc(time.Duration(r.IntN(20_000))*time.Microsecond, kill)
	}
	for {
		size, err := in.ReadByte()
		if err != nil {
			break
		}
		psdu := make([]byte, size)
		if n, err := io.ReadFull(in, psdu); err != nil {
			if bytes.Contains(psdu[:n], []byte("FAIL")) {
				t.Errorf("the node failed: %s", psdu[:n])
			}
			break // killed in the middle of a line
		}
		frame(psdu)
	}
	if err := cmd.Wait(); err == nil || strings.Contains(err.Error(), "exit status") {
		t.Fatalf("the node ended by itself: %v", err)
	}
}

// TestKill kills a node again and again, PYMESH_KILL times, at random moments, most of them while it writes its store. The store is intact
// each time, and no frame counter falls: none of what was sent is used again. Now and then the file is damaged after that, and recovered.
func TestKill(t *testing.T) {
	kills := 20
	if n, err := strconv.Atoi(os.Getenv("PYMESH_KILL")); err == nil {
		kills = n
	}
	if testing.Short() {
		kills = 5
	}
	path := filepath.Join(t.TempDir(), "node.store")
	r := rand.New(rand.NewPCG(1, 2))
	var last [2]int64 // of the MAC and of MLE
	frames, torn, recovered := 0, 0, 0
	for kill := range kills {
		d := dissect.New(meshtest.NetworkKey)
		killed(t, path, r, func(psdu []byte) {
			f := d.Dissect(time.Time{}, psdu)
			layer, counter := 0, int64(f.MAC.Security.FrameCounter)
			switch {
			case f.MLE != nil:
				layer, counter = 1, int64(f.MLE.FrameCounter)
			case !f.MAC.Opened:
				return
			}
			if counter <= last[layer] && last[layer] > 0 {
				t.Fatalf("life %d: counter %d of layer %d after %d", kill, counter, layer, last[layer])
			}
			last[layer] = counter
			frames++
		})
		if _, err := os.Lstat(path + ".new"); err == nil {
			torn++
		} else if _, err := os.Lstat(path + ".previous"); err != nil {
			torn++
		}
		if kill%20 == 19 && recoverDamaged(t, path) {
			recovered++
		}
		store, err := pymesh.OpenFileStore(path)
		if err != nil {
			t.Fatalf("life %d: %v", kill, err)
		}
		if _, ok, err := store.Load(); err != nil || !ok && frames > 0 {
			t.Fatalf("life %d: %v, %v", kill, ok, err)
		}
		store.Close()
		if kill%100 == 99 {
			t.Logf("%d kills, %d frames", kill+1, frames)
		}
	}
	t.Logf("%d kills, %d of them in the middle of a Save, %d recoveries, %d frames", kills, torn, recovered, frames)
	if frames == 0 || kills >= 200 && (torn < kills/10 || recovered < kills/40) {
		t.Error("the test is wrong")
	}
}

// recoverDamaged damages the file and recovers the store, if it has a previous generation.
func recoverDamaged(t *testing.T, path string) bool {
	t.Helper()
	if _, err := os.Lstat(path + ".previous"); err != nil {
		return false
	}
	_ = os.Remove(path) // not in place: the previous generation may be the same file
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pymesh.OpenFileStore(path); err == nil {
		t.Fatal("a damaged file was opened")
	}
	aside, err := pymesh.RecoverFileStore(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(aside)
	return true
}

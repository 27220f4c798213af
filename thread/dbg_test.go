package thread_test
import ("testing";"os";"time";"fmt";"github.com/gopymesh/pymesh/lora/lorasim";"github.com/gopymesh/pymesh/thread")
func TestDbg(t *testing.T){
 f,_:=os.Create("/tmp/dbg.pcap")
 m := chain(t, lorasim.Options{Seed:2,Capture:f}, 4, nil)
 for _, n := range m.nodes {
   n.start()
   m.until(5*time.Minute, "attached", func() bool { return n.Role() >= thread.RoleChild })
   m.until(5*time.Minute, "router", func() bool { return n.Role() >= thread.RoleRouter })
 }
 m.run(time.Minute)
 first, last := m.nodes[0], m.nodes[3]
 for i:=range 5 {
 a:=m.sim.Now()
 d,ok:=first.ping(last.MeshLocalEID(),1000,80*time.Second)
 fmt.Println(i,a.Format("15:04:05"),d,ok, m.sim.Stats(), last.Counters().ReassemblyTimeout)
 }
}

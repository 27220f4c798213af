package ieee802154_test

import (
	"fmt"
	"log"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
)

// A data frame as Thread secures it: encrypted, with a MIC of 32 bits, under the network's MAC key.
func Example() {
	ccm := ieee802154.NewCCM(keys.Derive([keys.Size]byte{1, 2, 3}, 0).MAC)
	sender, err := ieee802154.ParseExtAddr("70b3d54990000001")
	if err != nil {
		log.Fatal(err)
	}
	f := ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: true, PANIDCompression: true, Seq: 7,
		DstPAN: 0xface, SrcPAN: 0xface, Dst: ieee802154.ShortAddress(0x5800), Src: ieee802154.ShortAddress(0x0c00),
		Security: ieee802154.SecurityHeader{
			Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex, FrameCounter: 1, KeyIndex: keys.Sequence(0).Index(),
		},
		Payload: []byte("hello"),
	}
	psdu, err := f.AppendSealed(nil, ccm, sender)
	if err != nil {
		log.Fatal(err)
	}

	received, err := ieee802154.ParseFrame(psdu)
	if err != nil {
		log.Fatal(err)
	}
	payload, err := received.Open(nil, psdu, ccm, sender)
	fmt.Println(received.Src, received.Dst, received.Security.Level, len(psdu), "bytes")
	fmt.Println(string(payload), err)
	// Output:
	// 0x0c00 0x5800 ENC-MIC-32 26 bytes
	// hello <nil>
}

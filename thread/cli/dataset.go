package cli

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
)

// datasetCommand is a word after dataset.
type datasetCommand struct {
	name string
	run  func(i *Interpreter, args []string) error
}

// datasetCommands are all of them, in the order in which help lists them.
var datasetCommands []datasetCommand

func init() { // it refers to itself
	datasetCommands = []datasetCommand{
		{"help", (*Interpreter).datasetHelp},
		{"active", func(i *Interpreter, _ []string) error { return i.showDataset(false) }},
		{"activetimestamp", draftCommand("activetimestamp")},
		{"channel", draftCommand("channel")},
		{"channelmask", draftCommand("channelmask")},
		{"clear", func(i *Interpreter, _ []string) error { i.draft = meshcop.Dataset{}; return nil }},
		{"commit", (*Interpreter).datasetCommit},
		{"delay", draftCommand("delaytimer")},
		{"extpanid", draftCommand("extpanid")},
		{"masterkey", draftCommand("masterkey")},
		{"meshlocalprefix", draftCommand("localprefix")},
		{"mgmtgetcommand", (*Interpreter).datasetMgmtGet},
		{"mgmtsetcommand", (*Interpreter).datasetMgmtSet},
		{"networkname", draftCommand("networkname")},
		{"panid", draftCommand("panid")},
		{"pending", func(i *Interpreter, _ []string) error { return i.showDataset(true) }},
		{"pendingtimestamp", draftCommand("pendingtimestamp")},
		{"pskc", (*Interpreter).datasetPSKc},
		{"securitypolicy", (*Interpreter).datasetSecurityPolicy},
	}
}

// laterDatasetCommands are words of later versions of OpenThread, which help does not list.
var laterDatasetCommands = []datasetCommand{
	{"init", (*Interpreter).datasetInit},
	{"networkkey", draftCommand("masterkey")},
}

func (i *Interpreter) dataset(args []string) error {
	if len(args) == 0 {
		i.printDataset(&i.draft)
		return nil
	}
	for _, list := range [...][]datasetCommand{datasetCommands, laterDatasetCommands} {
		for _, c := range list {
			if c.name == args[0] {
				return c.run(i, args[1:])
			}
		}
	}
	return Parse
}

func (i *Interpreter) datasetHelp([]string) error {
	for _, c := range datasetCommands {
		i.printf("%s\r\n", c.name)
	}
	return nil
}

func (i *Interpreter) showDataset(pending bool) error {
	d, ok := i.view.Dataset(pending)
	if !ok {
		return NotFound
	}
	i.printDataset(&d)
	return nil
}

// policyLetters are those of the flags of a security policy, in the order in which they are printed.
var policyLetters = [...]struct {
	letter rune
	flag   meshcop.SecurityFlags
}{
	{'o', meshcop.SecurityObtainMasterKey}, {'n', meshcop.SecurityNativeCommissioning}, {'r', meshcop.SecurityRouters},
	{'c', meshcop.SecurityExternalCommissioner}, {'b', meshcop.SecurityBeacons},
}

func (i *Interpreter) printDataset(d *meshcop.Dataset) {
	line := func(c meshcop.Components, format string, args ...any) {
		if d.Has(c) {
			i.printf(format+"\r\n", args...)
		}
	}
	prefix := [16]byte{}
	if d.Has(meshcop.HasMeshLocalPrefix) {
		prefix = d.MeshLocalPrefix.Addr().As16()
	}
	group := func(k int) uint16 { return uint16(prefix[2*k])<<8 | uint16(prefix[2*k+1]) }
	flags := ""
	for _, l := range policyLetters {
		if d.SecurityPolicy.Flags&l.flag != 0 {
			flags += string(l.letter)
		}
	}
	line(meshcop.HasPendingTimestamp, "Pending Timestamp: %d", int32(d.PendingTimestamp.Seconds))
	line(meshcop.HasActiveTimestamp, "Active Timestamp: %d", int32(d.ActiveTimestamp.Seconds))
	line(meshcop.HasChannel, "Channel: %d", d.Channel.Number)
	line(meshcop.HasChannelMask, "Channel Mask Page 0: %08x", uint32(d.ChannelMask))
	line(meshcop.HasDelayTimer, "Delay: %d", int32(d.DelayTimer/time.Millisecond))
	line(meshcop.HasExtendedPANID, "Ext PAN ID: %x", [8]byte(d.ExtendedPANID))
	line(meshcop.HasMeshLocalPrefix, "Mesh Local Prefix: %x:%x:%x:%x/64", group(0), group(1), group(2), group(3))
	line(meshcop.HasNetworkMasterKey, "Master Key: %x", [16]byte(d.NetworkMasterKey))
	line(meshcop.HasNetworkName, "Network Name: %s", d.NetworkName)
	line(meshcop.HasPANID, "PAN ID: 0x%04x", uint16(d.PANID))
	line(meshcop.HasPSKc, "PSKc: %x", [16]byte(d.PSKc))
	line(meshcop.HasSecurityPolicy, "Security Policy: %d, %s", int(d.SecurityPolicy.RotationTime/time.Hour), flags)
}

// draftCommand is a command that sets one field of the draft, under the field's name in mgmtsetcommand.
func draftCommand(field string) func(*Interpreter, []string) error {
	return func(i *Interpreter, args []string) error {
		if len(args) == 0 {
			return InvalidArgs
		}
		return setField(&i.draft, field, args[0])
	}
}

// setField sets one field of a dataset. InvalidArgs says that there is none of that name.
func setField(d *meshcop.Dataset, field, arg string) error {
	number := func(c meshcop.Components, set func(int64)) error {
		v, err := parseLong(arg)
		if err == nil {
			set(v)
			d.Present |= c
		}
		return err
	}
	switch field {
	case "activetimestamp":
		return number(meshcop.HasActiveTimestamp, func(v int64) { d.ActiveTimestamp = timestampAt(v) })
	case "pendingtimestamp":
		return number(meshcop.HasPendingTimestamp, func(v int64) { d.PendingTimestamp = timestampAt(v) })
	case "delaytimer":
		return number(meshcop.HasDelayTimer, func(v int64) { d.DelayTimer = time.Duration(uint32(v)) * time.Millisecond })
	case "panid":
		return number(meshcop.HasPANID, func(v int64) { d.PANID = ieee802154.PANID(v) })
	case "channel":
		return number(meshcop.HasChannel, func(v int64) { d.Channel = mle.Channel{Number: uint16(v)} })
	case "channelmask":
		return number(meshcop.HasChannelMask, func(v int64) { d.ChannelMask = meshcop.ChannelMask(v) })
	}
	return setText(d, field, arg)
}

func timestampAt(seconds int64) meshcop.Timestamp {
	const most = 1<<48 - 1
	return meshcop.Timestamp{Seconds: uint64(seconds) & most}
}

// setText is setField for what is no number.
func setText(d *meshcop.Dataset, field, arg string) error {
	switch field {
	case "masterkey":
		var key meshcop.Key
		if err := parseHexFull(key[:], arg); err != nil {
			return err
		}
		d.NetworkMasterKey = key
		d.Present |= meshcop.HasNetworkMasterKey
	case "networkname":
		const longest = 16
		if len(arg) > longest {
			return Parse
		}
		d.NetworkName = arg
		d.Present |= meshcop.HasNetworkName
	case "extpanid":
		var id meshcop.ExtendedPANID
		if _, err := parseHex(id[:], arg); err != nil {
			return err
		}
		d.ExtendedPANID = id
		d.Present |= meshcop.HasExtendedPANID
	case "localprefix":
		a, err := parseAddr(arg)
		if err != nil {
			return err
		}
		d.MeshLocalPrefix = ip6.PrefixOf(a)
		d.Present |= meshcop.HasMeshLocalPrefix
	default:
		return InvalidArgs
	}
	return nil
}

// datasetPSKc takes a key with leading zeros left out.
func (i *Interpreter) datasetPSKc(args []string) error {
	if len(args) == 0 {
		return InvalidArgs
	}
	var key meshcop.Key
	n := (len(args[0]) + 1) / 2
	if n > len(key) {
		return NoBufs
	}
	if err := parseHexFull(key[len(key)-n:], args[0]); err != nil {
		return err
	}
	i.draft.PSKc = key
	i.draft.Present |= meshcop.HasPSKc
	return nil
}

func (i *Interpreter) datasetSecurityPolicy(args []string) error {
	if len(args) == 0 {
		return InvalidArgs
	}
	v, err := parseLong(args[0])
	if err != nil {
		return err
	}
	p := meshcop.SecurityPolicy{RotationTime: time.Duration(uint16(v)) * time.Hour}
	if len(args) > 1 {
	next:
		for _, c := range args[1] {
			for _, l := range policyLetters {
				if c == l.letter {
					p.Flags |= l.flag
					continue next
				}
			}
			return Parse
		}
	}
	i.draft.SecurityPolicy = p
	i.draft.Present |= meshcop.HasSecurityPolicy
	return nil
}

// whichDataset parses the word that says which dataset is meant.
func whichDataset(args []string) (pending bool, err error) {
	switch {
	case len(args) == 0:
	case args[0] == "active":
		return false, nil
	case args[0] == "pending":
		return true, nil
	}
	return false, InvalidArgs
}

func (i *Interpreter) datasetCommit(args []string) error {
	pending, err := whichDataset(args)
	if err != nil {
		return err
	}
	return i.view.SetDataset(i.now, pending, i.draft)
}

// datasetInit fills the draft: with the active or pending dataset, or with a new one of the network's present parameters.
func (i *Interpreter) datasetInit(args []string) error {
	if len(args) > 0 && args[0] == "new" {
		i.draft = i.engine.Network().Dataset(meshcop.UsualPolicy(i.view.Keys.Life))
		i.draft.ActiveTimestamp = meshcop.Timestamp{Seconds: 1}
		i.draft.Present |= meshcop.HasActiveTimestamp
		return nil
	}
	pending, err := whichDataset(args)
	if err != nil {
		return err
	}
	d, ok := i.view.Dataset(pending)
	if !ok {
		return NotFound
	}
	i.draft = d
	return nil
}

func (i *Interpreter) datasetMgmtSet(args []string) error {
	if len(args) == 0 {
		return InvalidArgs
	}
	var d meshcop.Dataset
	var binary []byte
	for k := 1; k < len(args); k += 2 {
		if k+1 == len(args) {
			return InvalidArgs
		}
		var err error
		if args[k] == "binary" {
			const most = 128
			binary, err = parseBytes(args[k+1], most)
		} else {
			err = setField(&d, args[k], args[k+1])
		}
		if err != nil {
			return err
		}
	}
	pending, err := whichDataset(args)
	if err != nil {
		return err
	}
	payload, err := d.AppendBinary(nil)
	if err != nil {
		return InvalidArgs
	}
	return i.view.RequestDataset(i.now, pending, append(payload, binary...))
}

// parseBytes parses hexadecimal digits for at most so many bytes.
func parseBytes(s string, most int) ([]byte, error) {
	n := (len(s) + 1) / 2
	if n > most {
		return nil, NoBufs
	}
	b := make([]byte, n)
	return b, parseHexFull(b, s)
}

// datasetFields are the types of TLVs that mgmtgetcommand has words for.
var datasetFields = map[string]meshcop.Type{
	"activetimestamp": meshcop.TypeActiveTimestamp, "pendingtimestamp": meshcop.TypePendingTimestamp,
	"masterkey": meshcop.TypeNetworkMasterKey, "networkname": meshcop.TypeNetworkName, "extpanid": meshcop.TypeExtendedPANID,
	"localprefix": meshcop.TypeMeshLocalPrefix, "delaytimer": meshcop.TypeDelayTimer, "panid": meshcop.TypePANID,
	"channel": meshcop.TypeChannel,
}

func (i *Interpreter) datasetMgmtGet(args []string) error {
	if len(args) == 0 {
		return InvalidArgs
	}
	const most = 32
	var types, binary []byte
	var to netip.Addr
	for k := 1; k < len(args); k++ {
		if t, ok := datasetFields[args[k]]; ok {
			types = append(types, byte(t))
			continue
		}
		if args[k] != "binary" && args[k] != "address" || k+1 == len(args) {
			return InvalidArgs
		}
		k++
		if args[k-1] == "address" {
			a, err := parseAddr(args[k])
			if err != nil {
				return err
			}
			to = a
			continue
		}
		b, err := parseBytes(args[k], most-len(binary))
		if err != nil {
			return err
		}
		binary = append(binary, b...)
	}
	pending, err := whichDataset(args)
	if err != nil {
		return err
	}
	return i.view.AskDataset(i.now, pending, append(types, binary...), to)
}

func (i *Interpreter) delaytimermin(args []string) error {
	switch len(args) {
	case 0:
		i.printf("%d\r\n", int(i.view.MinDelay()/time.Second))
		return nil
	case 1:
		v, err := parseUnsigned(args[0])
		if err != nil {
			return err
		}
		return i.view.SetMinDelay(time.Duration(uint32(1000*v)) * time.Millisecond)
	}
	return InvalidArgs
}

func (i *Interpreter) pskc(args []string) error {
	if len(args) == 0 {
		i.printf("%x\r\n", [16]byte(i.engine.Network().PSKc))
		return nil
	}
	return i.setNetwork(func(n *thread.Network) error { return parseHexFull(n.PSKc[:], args[0]) })
}

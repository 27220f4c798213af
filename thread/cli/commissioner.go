package cli

import (
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// commissionerCommands are the words after commissioner.
var commissionerCommands = map[string]func(i *Interpreter, args []string) error{
	"start":           func(i *Interpreter, _ []string) error { return i.view.StartCommissioner(i.now) },
	"stop":            func(i *Interpreter, _ []string) error { return i.view.StopCommissioner(i.now) },
	"joiner":          (*Interpreter).commissionerJoiner,
	"provisioningurl": (*Interpreter).provisioningURL,
	"announce":        survey("announce", 3),
	"energy":          survey("energy", 4),
	"panid":           survey("panid", 2),
	"mgmtget":         (*Interpreter).commissionerMgmtGet,
	"mgmtset":         (*Interpreter).commissionerMgmtSet,
	"sessionid": func(i *Interpreter, _ []string) error {
		i.printf("%d\r\n", i.view.CommissionerSession())
		return nil
	},
}

func (i *Interpreter) commissioner(args []string) error {
	if len(args) == 0 {
		return InvalidArgs
	}
	if run, ok := commissionerCommands[args[0]]; ok {
		return run(i, args[1:])
	}
	return InvalidArgs
}

// mostCommissioning is how many bytes the words binary of one command can have.
const mostCommissioning = 32

// commissioningFields are the types of TLVs that the commands have words for.
var commissioningFields = map[string]meshcop.Type{
	"locator": meshcop.TypeBorderAgentLocator, "sessionid": meshcop.TypeCommissionerSessionID,
	"steeringdata": meshcop.TypeSteeringData, "joinerudpport": meshcop.TypeJoinerUDPPort,
}

func (i *Interpreter) commissionerMgmtGet(args []string) error {
	var types []byte
	for k := 0; k < len(args); k++ {
		if len(types) >= mostCommissioning {
			return NoBufs
		}
		if t, ok := commissioningFields[args[k]]; ok {
			types = append(types, byte(t))
			continue
		}
		if k++; args[k-1] != "binary" || k == len(args) {
			return InvalidArgs
		}
		b, err := parseBytes(args[k], mostCommissioning-len(types))
		if err != nil {
			return err
		}
		types = append(types, b...)
	}
	return i.view.AskCommissioning(i.now, types)
}

func (i *Interpreter) commissionerMgmtSet(args []string) error {
	const maxSteering = 16
	var payload, binary []byte
	for k := 0; k < len(args); k += 2 {
		if k+1 == len(args) {
			return InvalidArgs
		}
		word, arg := args[k], args[k+1]
		switch word {
		case "steeringdata":
			b, err := parseBytes(arg, maxSteering)
			if err != nil {
				return err
			}
			payload = tlv.Append(payload, meshcop.TypeSteeringData, b)
		case "binary":
			b, err := parseBytes(arg, mostCommissioning)
			if err != nil {
				return err
			}
			binary = b
		case "locator", "sessionid", "joinerudpport":
			v, err := parseLong(arg)
			if err != nil {
				return err
			}
			payload = appendCommissioning(payload, word, uint16(v))
		default:
			return InvalidArgs
		}
	}
	return i.view.RequestCommissioning(i.now, append(payload, binary...))
}

func appendCommissioning(b []byte, field string, v uint16) []byte {
	switch field {
	case "locator":
		return meshcop.AppendBorderAgentLocator(b, mle.RLOC16(v))
	case "sessionid":
		return meshcop.AppendCommissionerSessionID(b, v)
	}
	return meshcop.AppendJoinerUDPPort(b, v)
}

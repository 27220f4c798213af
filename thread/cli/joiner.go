package cli

import (
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// defaultJoinerTimeout is how long a joiner may join if the command does not say.
const defaultJoinerTimeout = 120 * time.Second

// joiner joins a network: "joiner start PASSWORD [URL]", "joiner stop".
func (i *Interpreter) joiner(args []string) error {
	switch {
	case len(args) > 1 && args[0] == "start":
		o := thread.JoinOptions{Password: args[1], EUI64: i.EUI64, Vendor: meshcop.Vendor{Name: "pymesh", Model: "host", Version: i.Version}}
		if len(args) > 2 {
			o.Vendor.ProvisioningURL = args[2]
		}
		return i.engine.Join(i.now, o, i.joined)
	case len(args) == 1 && args[0] == "stop":
		i.engine.StopJoining(i.now)
		return nil
	}
	return InvalidArgs
}

// joined tells how joining has ended.
func (i *Interpreter) joined(err error) {
	if err == nil {
		i.printf("Join success\r\n")
	} else {
		i.printf("Join failed [%s]\r\n", errorOf(err).Name())
	}
	if i.Notify != nil {
		i.Notify()
	}
}

// joinerPort shows or sets where the node as a joiner router listens.
func (i *Interpreter) joinerPort(args []string) error {
	if len(args) == 0 {
		i.printf("%d\r\n", i.engine.JoinerPort())
		return nil
	}
	v, err := parseLong(args[0])
	if err != nil {
		return err
	}
	i.engine.SetJoinerPort(uint16(v))
	return nil
}

func (i *Interpreter) joinerID(args []string) error {
	if len(args) > 0 {
		return InvalidArgs
	}
	i.printf("%x\r\n", [8]byte(thread.JoinerID(i.EUI64)))
	return nil
}

// commissionerJoiner lets joiners in: "commissioner joiner add EUI64|* PASSWORD [SECONDS]", "commissioner joiner remove EUI64|*".
func (i *Interpreter) commissionerJoiner(args []string) error {
	if len(args) < 2 {
		return InvalidArgs
	}
	j := thread.Joiner{Any: args[1] == "*", Timeout: defaultJoinerTimeout}
	if !j.Any {
		a, err := parseExtAddr(args[1])
		if err != nil {
			return err
		}
		j.EUI64 = a
	}
	switch args[0] {
	case "add":
		if len(args) < 3 {
			return InvalidArgs
		}
		j.Password = args[2]
		if len(args) > 3 {
			v, err := parseUnsigned(args[3])
			if err != nil {
				return err
			}
			j.Timeout = time.Duration(uint32(v)) * time.Second
		}
		return i.engine.AllowJoiner(i.now, j)
	case "remove":
		return i.engine.DisallowJoiner(i.now, j.EUI64, j.Any)
	}
	return InvalidArgs
}

func (i *Interpreter) provisioningURL(args []string) error {
	url := ""
	if len(args) > 0 {
		url = args[0]
	}
	return i.engine.SetProvisioningURL(url)
}

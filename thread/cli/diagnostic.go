package cli

import (
	"net/netip"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// later prints what comes without a command of its own.
func (i *Interpreter) later(format string, args ...any) {
	i.printf(format, args...)
	if i.Notify != nil {
		i.Notify()
	}
}

// await returns a function that ends the wait for one answer to this line.
func (i *Interpreter) await() (done func()) {
	line := i.lines
	i.awaited++
	return func() {
		if i.lines == line {
			i.awaited--
		}
		if i.Notify != nil {
			i.Notify()
		}
	}
}

// networkdiagnostic asks for diagnostic TLVs. An answer is printed when it comes; that there is none is not.
func (i *Interpreter) networkdiagnostic(args []string) error {
	if len(args) < 3 {
		return InvalidArgs
	}
	to, err := parseAddr(args[1])
	if err != nil {
		return err
	}
	var types []tmf.DiagnosticType
	for _, arg := range args[2:] {
		v, err := parseLong(arg)
		if err != nil {
			return err
		}
		types = append(types, tmf.DiagnosticType(v))
	}
	switch args[0] {
	case "get":
		i.diagnosticGet(to, types)
		return errNoAnswer
	case "reset":
		_ = i.engine.ResetDiagnostics(i.now, to, types) // OpenThread does not tell either
		return nil
	}
	return InvalidArgs
}

func (i *Interpreter) diagnosticGet(to netip.Addr, types []tmf.DiagnosticType) {
	print := func(d thread.Diagnostic) {
		if d.Err == nil {
			i.later("DIAG_GET.rsp/ans: %x\r\n", []byte(d.TLVs))
		}
	}
	if to.IsMulticast() {
		i.engine.CancelDiagnostics(i.diagnosticQuery) // nobody knows how many answers there will be
		i.diagnosticQuery, _ = i.engine.GetDiagnostics(i.now, to, types, print)
		return
	}
	done := i.await()
	if _, err := i.engine.GetDiagnostics(i.now, to, types, func(d thread.Diagnostic) {
		print(d)
		done()
	}); err != nil {
		done()
	}
}

package cli

// command is one word of the command line.
type command struct {
	name string
	run  func(i *Interpreter, args []string) error
}

// commands are all commands, in the order in which help lists them. An Interpreter has its own reference to them: some of them look at it.
var commands = []command{
	{"help", (*Interpreter).help},
	{"autostart", (*Interpreter).autostart},
	{"bufferinfo", (*Interpreter).bufferinfo},
	{"channel", (*Interpreter).channel},
	{"child", (*Interpreter).child},
	{"childmax", (*Interpreter).childmax},
	{"childtimeout", (*Interpreter).childtimeout},
	{"coap", (*Interpreter).coapCommand},
	{"coaps", notImplemented},
	{"commissioner", (*Interpreter).commissioner},
	{"contextreusedelay", (*Interpreter).contextreusedelay},
	{"counter", (*Interpreter).counter},
	{"dataset", (*Interpreter).dataset},
	{"delaytimermin", (*Interpreter).delaytimermin},
	{"diag", notImplemented},
	{"discover", (*Interpreter).discover},
	{"dns", (*Interpreter).dns},
	{"eidcache", (*Interpreter).eidcache},
	{"eui64", (*Interpreter).eui64},
	{"exit", func(i *Interpreter, _ []string) error { return i.request(RequestExit) }},
	{"extaddr", (*Interpreter).extaddr},
	{"extpanid", (*Interpreter).extpanid},
	{"factoryreset", func(i *Interpreter, _ []string) error { return i.request(RequestFactoryReset) }},
	{"ifconfig", (*Interpreter).ifconfig},
	{"ipaddr", (*Interpreter).ipaddr},
	{"ipmaddr", (*Interpreter).ipmaddr},
	{"joiner", (*Interpreter).joiner},
	{"joinerid", (*Interpreter).joinerID},
	{"joinerport", (*Interpreter).joinerPort},
	{"keysequence", (*Interpreter).keysequence},
	{"leaderdata", (*Interpreter).leaderdata},
	{"leaderpartitionid", (*Interpreter).leaderpartitionid},
	{"leaderweight", leaderWeight},
	{"linkquality", (*Interpreter).linkquality},
	{"macfilter", (*Interpreter).macfilter},
	{"masterkey", (*Interpreter).masterkey},
	{"mode", (*Interpreter).mode},
	{"neighbor", (*Interpreter).neighbor},
	{"netdataregister", (*Interpreter).netdataregister},
	{"netdatashow", (*Interpreter).netdatashow},
	{"networkdiagnostic", (*Interpreter).networkdiagnostic},
	{"networkidtimeout", networkIDTimeout},
	{"networkname", (*Interpreter).networkname},
	{"panid", (*Interpreter).panid},
	{"parent", (*Interpreter).parent},
	{"parentpriority", parentPriority},
	{"ping", (*Interpreter).pingCommand},
	{"pollperiod", (*Interpreter).pollperiod},
	{"promiscuous", (*Interpreter).promiscuous},
	{"prefix", (*Interpreter).prefix},
	{"pskc", (*Interpreter).pskc},
	{"releaserouterid", (*Interpreter).releaserouterid},
	{"reset", func(i *Interpreter, _ []string) error { return i.request(RequestReset) }},
	{"rloc16", (*Interpreter).rloc16},
	{"route", (*Interpreter).route},
	{"router", (*Interpreter).router},
	{"routerdowngradethreshold", routerDowngradeThreshold},
	{"routerrole", (*Interpreter).routerrole},
	{"routerselectionjitter", routerSelectionJitter},
	{"routerupgradethreshold", routerUpgradeThreshold},
	{"scan", (*Interpreter).scan},
	{"service", (*Interpreter).service},
	{"singleton", (*Interpreter).singleton},
	{"sntp", (*Interpreter).sntp},
	{"state", (*Interpreter).state},
	{"thread", (*Interpreter).thread},
	{"txpower", (*Interpreter).txpower},
	{"udp", (*Interpreter).udpCommand},
	{"version", (*Interpreter).version},
}

// aliases are words of later versions of OpenThread.
var aliases = map[string]string{"?": "help", "counters": "counter", "networkkey": "masterkey"}

// notImplemented answers for what the engine cannot do yet.
func notImplemented(*Interpreter, []string) error { return NotImplemented }

func (i *Interpreter) help([]string) error {
	for _, c := range i.commands {
		i.printf("%s\r\n", c.name)
	}
	return errNoAnswer
}

func (i *Interpreter) version([]string) error {
	i.printf("%s\r\n", i.Version)
	return nil
}

// onOff shows or sets something that is enabled or disabled.
func (i *Interpreter) onOff(args []string, enabled bool, set func(bool) error) error {
	switch {
	case len(args) == 0 && enabled:
		i.printf("Enabled\r\n")
		return nil
	case len(args) == 0:
		i.printf("Disabled\r\n")
		return nil
	case args[0] == "enable":
		return set(true)
	case args[0] == "disable":
		return set(false)
	}
	return InvalidArgs
}

// onlyOff is onOff's set for what cannot be enabled yet.
func onlyOff(on bool) error {
	if on {
		return NotImplemented
	}
	return nil
}

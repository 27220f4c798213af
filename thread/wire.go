package thread

import (
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/dataset"
	"github.com/gopymesh/pymesh/thread/internal/dhcp"
	"github.com/gopymesh/pymesh/thread/internal/joining"
	"github.com/gopymesh/pymesh/thread/internal/keychain"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/internal/polling"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/internal/scan"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/internal/slaac"
	"github.com/gopymesh/pymesh/thread/internal/strangers"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/mpl"
	"github.com/gopymesh/pymesh/thread/tmf"
	"github.com/gopymesh/pymesh/thread/trickle"
)

// Limits that this implementation chose.
const (
	reassemblies = 8
	mplDatagrams = 8
	mostSeeds    = 1024
)

// seedsFor is how many seeds of multicasts are known at a time: as many for each second that one is remembered as in stock.
func seedsFor(t *Timing) int {
	return int(min(max(mpl.DefaultSeeds, mpl.DefaultSeeds*t.MPLSeedLifetime/mpl.DefaultSeedLifetime), mostSeeds))
}

// multicastHops is how far another node's multicast may go on from here, 0 for as far as it likes: where boards are about, to the farthest router, and
// two hops more, since it may miss the shortest way.
//
// Deviation: stock has it go as far as its hop limit, mostly 64, allows. A board takes what comes round after 5 s for new, see MPLSeedLate, and so do
// those next to it, again and again.
func (e *Engine) multicastHops() uint8 {
	if !e.mac.Boards {
		return 0
	}
	return e.routes.farthest() + 2*spareHops
}

// wire makes the rooms and hands each what it needs of the others.
func (e *Engine) wire(c *Config) {
	e.self = &self{
		Core: core.New(c.Rand, c.Logger, c.ExtAddr), timing: &e.timing, counters: &e.counters,
		scale: e.timing.links(), mode: c.Mode, routerRole: !c.EndDevice, rloc: mle.InvalidRLOC16,
	}
	e.events = eventQueue{core: e.Core, lost: &e.counters.EventsLost}
	e.wireRooms(c)
	e.self.load = e.mac.Load
	e.self.silence = e.mac.Silence
	e.wireLayers()
	e.wireChildSide()
	e.wireRouterSide(c)
	e.wireSurvey(c)
	e.wireManagement(c)
	e.mle.setCommands(e.commands())
	e.tmf.resources = e.resources()
	e.machines = []machine{
		e.mac, &e.attach, &e.keepAlive, &e.mle, &e.routes, &e.mesh, &e.ip, &e.tmf, e.polls, &e.leading, &e.distrib, &e.registrar, &e.leases,
		&e.diagnostics, &e.surroundings, &e.manage, &e.commiss, &e.announcer, &e.admission, &e.deputy,
	}
}

// wireRooms makes what has its door watched by the compiler.
func (e *Engine) wireRooms(c *Config) {
	t := &e.timing
	e.keys = keychain.New(e.Core, c.NetworkKey, e.keySequenceMoved)
	e.keys.Life, e.keys.Guard = t.KeyRotation, t.KeySwitchGuard
	e.addresses = addresses.New(e.Core)
	e.tmf.coap = coap.NewEndpoint[tmfTag](coap.Config{Timing: coapTiming(t), Rand: e.Core.Rand, IsAnycast: e.addresses.IsAnycast})
	e.neighbors = neighbors.New(e.Core, c.MaxChildren, e.neighborChanged)
	e.neighbors.Routers.Spread = e.timing.RouterNeighbors > 0
	e.mac = mac.New(e.Core, mac.Config{Timing: macTiming(t), Neighbors: e.neighbors, Keys: e.keys, Pending: e.pending, Reserve: e.save})
	e.polls = polling.New(e.Core, polling.Timing{
		Attach: t.AttachPoll, Fast: t.FastPoll, Retry: t.PollRetry, Min: t.MinPoll, Retries: t.FailedChildTransmissions,
	})
	e.polls.SetPeriod(c.PollPeriod)
	e.neighbors.Routers.Sequence = uint8(e.Core.Rand.Uint32())
	e.sender = sender.New(e.Core, sender.Timing{FragmentGap: t.FragmentGap, FragmentGaps: t.FragmentGaps, LostDatagram: t.LostDatagram}, e.mac, &e.mesh, &e.contexts)
	e.mpl = mpl.NewDomain(e.Core.Rand, mpl.Config{
		Interval: t.MPLInterval, SeedLifetime: t.MPLSeedLifetime, SeedLate: t.MPLSeedLate, Seeds: seedsFor(t), Datagrams: mplDatagrams, Redundancy: t.MPLRedundancy, Hops: e.multicastHops, Reserve: e.save,
	})
	e.resolver = resolver.New(e.Core, resolver.Timing{Query: t.AddressQuery, Retry: t.AddressQueryRetry, RetryMax: t.AddressQueryRetryMax})
	e.netData = networkdata.New(e.Core)
	e.local = new(networkdata.Local)
	e.slaac = slaac.New(e.Core)
	e.leases = leases{
		self: e.self, client: dhcp.NewClient(e.Core, t.CoAPAckTimeout), netData: e.netData, addresses: e.addresses, ip: &e.ip,
		update: e.leased,
	}
	e.dataset = dataset.New(c.network(), meshcop.UsualPolicy(t.KeyRotation))
	e.pendingSet = dataset.NewPending(e.Core)
	e.petitions = commissioning.NewRegistrar(e.Core, e.netData, t.CommissionerTimeout)
	e.addresses.NewIID()
	e.applyNetwork()
}

func macTiming(t *Timing) mac.Timing {
	return mac.Timing{
		BackoffUnit: t.BackoffUnit, MinBE: t.MinBE, MaxBE: t.MaxBE, LoadBE: t.LoadBE, MaxCSMABackoffs: t.MaxCSMABackoffs, RetryJitter: t.RetryJitter,
		MaxFrameRetries: t.MaxFrameRetries, AckWait: t.AckWait, AckWaitMax: t.AckWaitMax, AckRoom: t.AckRoom, FrameTime: t.FrameTime, DataWait: t.DataWait,
		Scale: t.links(),
	}
}

func (e *Engine) wireLayers() {
	e.mesh = meshLayer{
		self: e.self, change: e, neighbors: e.neighbors, addresses: e.addresses, resolver: e.resolver, queries: &e.queries,
		netData: e.netData, local: e.local, contexts: &e.contexts, sender: e.sender, routes: &e.routes, ip: &e.ip,
		reassembler: lowpan.NewReassembler(lowpan.Limits{Datagrams: reassemblies, Timeout: e.timing.Reassembly}),
	}
	e.ip = ipLayer{
		self: e.self, neighbors: e.neighbors, addresses: e.addresses, sender: e.sender, mpl: e.mpl, resolver: e.resolver, mesh: &e.mesh,
		mle: &e.mle, tmf: &e.tmf, leases: &e.leases, admission: &e.admission, agency: &e.agency,
		errors: core.Limiter{Interval: e.timing.ICMPErrorInterval, Burst: icmpErrors},
	}
	e.sender.Undeliverable, e.sender.Secure, e.sender.Passed = e.ip.undeliverable, e.mle.secure, e.mesh.passed
	e.mle = mleMessenger{
		self: e.self, keys: e.keys, neighbors: e.neighbors, sender: e.sender, macCounter: &e.mac.Counter, reserve: e.save,
		answers: strangers.New(e.Core, 2*e.timing.FrameTime), vouch: e.mac.Vouch, expect: e.polls.Expect,
		contexts: &e.contexts,
	}
	e.tmf.self, e.tmf.addresses, e.tmf.ip, e.tmf.expect, e.tmf.admission = e.self, e.addresses, &e.ip, e.polls.Expect, &e.admission
	e.queries = queries{
		self: e.self, neighbors: e.neighbors, addresses: e.addresses, resolver: e.resolver, sender: e.sender, tmf: &e.tmf,
		keepAlive: &e.keepAlive, slaac: e.slaac, leases: &e.leases, update: e.addressGivenUp, conflicts: core.Limiter{Interval: e.timing.AddressNotifyInterval, Burst: 1},
	}
	e.distrib = distributor{
		announced: core.Limiter{Interval: 4 * e.timing.DataResponseRepeat, Burst: announcedBurst},
		self:      e.self, change: e, neighbors: e.neighbors, addresses: e.addresses, netData: e.netData, dataset: e.dataset,
		resolver: e.resolver, contexts: &e.contexts, mle: &e.mle, pending: e.pendingSet, manage: &e.manage, keepAlive: &e.keepAlive,
		parent: &e.parent,
	}
}

func (e *Engine) wireManagement(c *Config) {
	e.manage = management{
		self: e.self, change: e, netData: e.netData, registrar: e.petitions, distrib: &e.distrib, tmf: &e.tmf, emit: e.events.emit,
		manager: dataset.Manager{Active: e.dataset, Pending: e.pendingSet, MinDelay: dataset.DefaultMinDelay},
	}
	e.announcer = announcer{
		self: e.self, change: e, neighbors: e.neighbors, dataset: e.dataset, mle: &e.mle, attach: &e.attach, parent: &e.parent,
		routes: &e.routes, multiChannel: c.MultiChannel, listenIn: func(pan ieee802154.PANID) { e.mac.Asked = pan },
	}
	joiners := commissioning.NewJoiners(e.Core)
	e.commiss = commissioner{
		self: e.self, commissioning: commissioning.New(e.Core, e.timing.CommissionerTimeout), registrar: e.petitions,
		distrib: &e.distrib, tmf: &e.tmf, addresses: e.addresses, update: e.updateAddresses, emit: e.events.emit,
		joiners: joiners, sessions: commissioning.NewSessions(e.Core, sessionTiming(&e.timing), joiners), agency: &e.agency,
	}
	e.agency = agency{self: e.self, tmf: &e.tmf, ip: &e.ip, addresses: e.addresses, update: e.updateAddresses}
	e.admission = admission{
		self: e.self, change: e, mac: e.mac, ip: &e.ip, tmf: &e.tmf, addresses: e.addresses, netData: e.netData, dataset: e.dataset, keys: e.keys,
		surroundings: &e.surroundings, emit: e.events.emit, router: joining.NewRouter(e.Core, e.timing.FrameTime),
	}
	e.admission.joiner = joining.NewJoiner(e.Core, joinerTiming(&e.timing), &e.admission)
}

func (e *Engine) wireChildSide() {
	e.attach = attacher{
		self: e.self, change: e, neighbors: e.neighbors, dataset: e.dataset, pending: e.pendingSet, mle: &e.mle,
		routes: &e.routes, distrib: &e.distrib, keepAlive: &e.keepAlive, leading: &e.leading,
		announcer: &e.announcer, ip: &e.ip,
	}
	e.keepAlive = keepAlive{
		self: e.self, change: e, neighbors: e.neighbors, mle: &e.mle, attach: &e.attach, distrib: &e.distrib, quiet: &e.quiet,
	}
}

func (e *Engine) wireRouterSide(c *Config) {
	e.parent = parentSide{
		self: e.self, change: e, neighbors: e.neighbors, sender: e.sender, dataset: e.dataset, pending: e.pendingSet, mle: &e.mle, attach: &e.attach,
		routes: &e.routes, selection: &e.selection, distrib: &e.distrib, priority: AutomaticParentPriority,
	}
	e.mac.Overheard = e.parent.overheard
	e.quiet = quiet{self: e.self, neighbors: e.neighbors, routes: &e.routes}
	e.mle.company = &e.quiet
	e.places = places{self: e.self, neighbors: e.neighbors, addresses: e.addresses, resolver: e.resolver, routes: &e.routes}
	e.mle.places, e.mesh.places = &e.places, &e.places
	e.ends = ends{self: e.self, neighbors: e.neighbors, addresses: e.addresses, resolver: e.resolver, quiet: &e.quiet}
	e.mesh.ends = &e.ends
	e.thrift = thrift{self: e.self, routes: &e.routes, hold: &e.sender.Hold}
	e.shortcuts = shortcuts{self: e.self, neighbors: e.neighbors, keys: e.keys, counter: &e.mac.Counter, quiet: &e.quiet, deputy: &e.deputy}
	e.deputy = deputy{
		self: e.self, neighbors: e.neighbors, addresses: e.addresses, resolver: e.resolver, places: &e.places, queries: &e.queries,
		diagnostics: &e.diagnostics, quiet: &e.quiet, tmf: &e.tmf, mac: e.mac,
	}
	e.queries.deputy = &e.deputy
	e.mle.shortcuts, e.mesh.shortcuts = &e.shortcuts, &e.shortcuts
	e.mac.Unknown = e.shortcuts.unknown
	e.mac.Passing, e.mac.Shortcuts = e.shortcuts.passing, e.quiet.possible()
	e.links = links{
		self: e.self, change: e, neighbors: e.neighbors, mle: &e.mle, attach: &e.attach, routes: &e.routes, distrib: &e.distrib, quiet: &e.quiet,
	}
	e.routes = routes{
		self: e.self, change: e, neighbors: e.neighbors, sender: e.sender, resolver: e.resolver, mle: &e.mle, attach: &e.attach,
		links: &e.links, selection: &e.selection, leading: &e.leading, distrib: &e.distrib, keepAlive: &e.keepAlive, quiet: &e.quiet, advertise: trickle.NewTimer(e.Core.Rand),
	}
	e.selection = selection{
		self: e.self, change: e, neighbors: e.neighbors, tmf: &e.tmf, attach: &e.attach, links: &e.links, routes: &e.routes,
		parent: &e.parent, quiet: &e.quiet, upgradeAt: c.RouterUpgradeThreshold, downgradeAt: c.RouterDowngradeThreshold,
		previousID: mle.InvalidRouterID,
	}
	e.leading = leading{
		self: e.self, change: e, neighbors: e.neighbors, dataset: e.dataset, pending: e.pendingSet, registrar: e.petitions,
		resolver: e.resolver, tmf: &e.tmf, routes: &e.routes,
		selection: &e.selection, distrib: &e.distrib, weight: *c.LeaderWeight, partitionID: c.PartitionID,
	}
	e.registrar = registrar{
		self: e.self, local: e.local, netData: e.netData, addresses: e.addresses, neighbors: e.neighbors, tmf: &e.tmf,
		routes: &e.routes, selection: &e.selection, leading: &e.leading, events: &e.events, known: mle.InvalidRLOC16, as: mle.InvalidRLOC16,
	}
}

// wireSurvey makes what tells how the mesh is doing, and what surrounds it.
func (e *Engine) wireSurvey(c *Config) {
	e.surroundings = surroundings{
		self: e.self, mac: e.mac, mle: &e.mle, tmf: &e.tmf, dataset: e.dataset, addresses: e.addresses, netData: e.netData,
		contexts: &e.contexts, multi: c.MultiChannel, home: e.dataset.Network().Channel, scanner: scan.New(e.Core), energy: scan.NewEnergyServer(e.Core),
		pans: scan.NewPANIDServer(e.Core), announce: scan.NewAnnouncer(e.Core),
		announces:   core.Limiter{Interval: announceEvery * 2 * e.timing.FrameTime, Burst: announceBurst},
		beacons:     strangers.NewAnyone(e.Core, 2*e.timing.FrameTime),
		discoveries: strangers.NewAnyone(e.Core, 2*e.timing.FrameTime),
		session:     func() (uint16, bool) { return e.commiss.session() },
		joinerPort:  e.admission.joinerPort,
	}
	e.mle.unsecured = e.surroundings.receive
	e.diagnostics = diagnostics{
		self: e.self, neighbors: e.neighbors, addresses: e.addresses, netData: e.netData, distrib: &e.distrib, parent: &e.parent,
		mac: e.mac, tmf: &e.tmf,
		answers: core.Limiter{Interval: diagnosticEvery * 2 * e.timing.FrameTime, Burst: maxDiagnosticAnswers},
	}
}

// commands are the MLE commands that this node handles (Thread 1.1 §4.5).
func (e *Engine) commands() []mleCommand {
	const strangers, known = true, false
	return []mleCommand{
		{mle.LinkRequest, asRouter, strangers, e.links.handleRequest, nil},
		{mle.LinkRequest, asChild, strangers, e.links.heardRequest, nil},
		{mle.LinkAccept, asAny, strangers, e.links.handleAccept, nil},
		{mle.LinkAcceptAndRequest, asAny, strangers, e.links.handleAccept, nil},
		{mle.Advertisement, asAny, strangers, e.routes.handleAdvertisement, e.routes.unneeded},
		{mle.DataRequest, asChild | asRouter, known, e.distrib.handleRequest, nil},
		{mle.DataResponse, asAny, known, e.distrib.handleLeaderData, e.mle.fromStranger},
		{mle.Announce, asAny, strangers, e.announcer.handle, nil},
		{mle.ParentRequest, asDetached, strangers, e.attach.heardRequest, nil},
		{mle.ParentRequest, asChild | asRouter, strangers, e.parent.handleParentRequest, e.parent.unneeded},
		{mle.ParentResponse, asAny, strangers, e.attach.handleParentResponse, nil},
		{mle.ChildIDRequest, asChild | asRouter, strangers, e.parent.handleChildIDRequest, nil},
		{mle.ChildIDResponse, asAny, known, e.attach.handleChildIDResponse, nil},
		{mle.ChildUpdateRequest, asRouter, strangers, e.parent.handleUpdateRequest, nil},
		{mle.ChildUpdateRequest, asEndDevice, strangers, e.keepAlive.handleRequest, nil},
		{mle.ChildUpdateResponse, asRouter, strangers, e.parent.handleUpdateResponse, nil},
		{mle.ChildUpdateResponse, asEndDevice, strangers, e.keepAlive.handleResponse, nil},
	}
}

// resources are the TMF resources that this node has (Thread 1.1 §10).
func (e *Engine) resources() []tmfResource {
	return []tmfResource{
		{tmf.URIAddressSolicit, coap.POST, asLeader, confirmableOnly, e.leading.handleAddressSolicit},
		{tmf.URIAddressRelease, coap.POST, asLeader, confirmableOnly, e.leading.handleAddressRelease},
		{tmf.URIServerData, coap.POST, asLeader, confirmableOnly, e.leading.handleServerData},
		{tmf.URIAddressQuery, coap.POST, asAny, nonConfirmableOnly, e.queries.handleQuery},
		{tmf.URIAddressNotify, coap.POST, asAny, confirmableOnly, e.queries.handleNotify},
		{tmf.URIAddressError, coap.POST, asAny, anyType, e.queries.handleError},
		{tmf.URIActiveGet, coap.POST, asAny, confirmableOnly, e.manage.handleActiveGet},
		{tmf.URIActiveSet, coap.POST, asLeader, confirmableOnly, e.manage.handleActiveSet},
		{tmf.URIPendingGet, coap.POST, asAny, confirmableOnly, e.manage.handlePendingGet},
		{tmf.URIPendingSet, coap.POST, asLeader, confirmableOnly, e.manage.handlePendingSet},
		{tmf.URIDatasetChanged, coap.POST, asAny, confirmableOnly, e.commiss.handleDatasetChanged},
		{tmf.URILeaderPetition, coap.POST, asLeader, confirmableOnly, e.commiss.handlePetition},
		{tmf.URILeaderKeepAlive, coap.POST, asLeader, confirmableOnly, e.commiss.handleKeepAlive},
		{tmf.URICommissionerGet, coap.POST, asLeader, confirmableOnly, e.commiss.handleGet},
		{tmf.URICommissionerSet, coap.POST, asLeader, confirmableOnly, e.commiss.handleSet},
		{tmf.URIRelayReceive, coap.POST, asChild | asRouter, nonConfirmableOnly, e.commiss.handleRelayReceive},
		{tmf.URIRelayTransmit, coap.POST, asChild | asRouter, nonConfirmableOnly, e.admission.handleRelayTransmit},
		{tmf.URIJoinerEntrust, coap.POST, asDisabled, confirmableOnly, e.admission.handleEntrust},
		{tmf.URIDiagnosticGetRequest, coap.POST, asChild | asRouter, confirmableOnly, e.diagnostics.handleGet},
		{tmf.URIDiagnosticGetQuery, coap.POST, asChild | asRouter, anyType, e.diagnostics.handleQuery},
		{tmf.URIDiagnosticGetAnswer, coap.POST, asChild | asRouter, confirmableOnly, e.diagnostics.handleAnswer},
		{tmf.URIDiagnosticReset, coap.POST, asChild | asRouter, confirmableOnly, e.diagnostics.handleReset},
		{tmf.URIEnergyScan, coap.POST, asChild | asRouter, anyType, e.surroundings.handleEnergyScan},
		{tmf.URIEnergyReport, coap.POST, asChild | asRouter, confirmableOnly, e.surroundings.handleEnergyReport},
		{tmf.URIPANIDQuery, coap.POST, asChild | asRouter, anyType, e.surroundings.handlePANIDQuery},
		{tmf.URIPANIDConflict, coap.POST, asChild | asRouter, confirmableOnly, e.surroundings.handleConflict},
		{tmf.URIAnnounceBegin, coap.POST, asChild | asRouter, anyType, e.surroundings.handleAnnounceBegin},
	}
}

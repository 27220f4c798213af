// Package lorasim simulates the air between radios: who hears whom, how strongly,
// when a packet begins and ends, and which packets destroy each other.
//
// One model of the air has two drivers of time:
//
//   - [Sim] is a discrete-event loop in virtual time. It steps state machines (a
//     [Station], which thread.Engine is) without goroutines or clocks, as fast as the
//     machine can: thousands of nodes, the same result for the same seed.
//   - [Air] runs in real time, or in real time multiplied by a factor, and gives out
//     each radio as a [lora.Radio], or as a [Transceiver] to put a chip emulator on.
//     It works inside testing/synctest too.
//
// # What is modeled
//
// Strength. A packet arrives with the sender's power less the loss of the way
// ([Propagation], [LogDistance] by default, and a log-normal part that is drawn once
// for each pair), or with the strength that SetLink fixed. A packet below the
// receiver's sensitivity for its spreading factor and bandwidth is not received.
// Signals more than 6 dB below the sensitivity are not there at all.
//
// Channels. Antennas whose frequency, bandwidth or spreading factor differ do not
// exist for each other: they neither hear nor disturb. Those that differ in the sync
// word alone disturb each other, but deliver nothing.
//
// Half-duplex. An antenna that transmits hears nothing; a packet that it was
// receiving is lost.
//
// Collisions and capture. A receiver locks on the first packet that stands 6 dB above
// the sum of all else that it hears at that moment, and stays with it to its end. The
// packet is received if it stays 6 dB above the sum of everything else throughout.
// While the preamble of that packet lasts, a packet that is 6 dB stronger than all
// else takes the lock over; after the preamble it only destroys. [Options.CoChannel]
// has other figures than 6 dB, and where they are from.
//
// Listen before talk. Before a packet, the antenna listens for 1 ms (LoRa) or 128 µs
// (IEEE 802.15.4); if the sum of all signals reached the threshold in that time, the
// packet is refused with [lora.ErrChannelBusy]. A LoRa receiver that has locked on a
// packet is busy too, however weak the packet is: from the fifth symbol of its preamble
// on, and not before, as the status of an SX1276's modem tells it. What it did not hear
// from the beginning, because it was sending, say, it does not know.
//
// How a radio is driven ([Manners]). By default a packet leaves as soon as the channel
// was free, and is refused as soon as it was not. A driver takes its time from
// listening to sending, is deaf after its own packets, makes pauses, tries again on a
// busy channel, and may ask the modem for activity (CAD), which errs now and then.
// Pycom's boards are deaf for 4 ms after each packet and hear the strength alone.
//
// Chance. A packet that arrived well is lost with a probability that holds
// everywhere, or on one link. Chance comes from [Options.Seed] alone.
//
// Not modeled: fading in time, imperfect orthogonality of spreading factors, clock
// drift, and propagation delay.
//
// # An ideal air
//
// With [Options.Ideal] nothing collides and a transmission deafens nobody, as on a
// wire; what remains is airtime, links and chance. [IEEE802154] replaces LoRa's
// modulation by 250 kbit/s at 2.4 GHz. Both together give the radio of OpenThread's
// own simulation.
package lorasim

// Package trials puts whole meshes to the test, in virtual time: under attack, under change, and for days. It has tests alone.
//
//   - Hostile air: somebody with a recorder and a transmitter, but without the key, next to a mesh; and a member gone wild. What
//     do the honest nodes still deliver, what do they send, what do they keep, and how soon is all well again?
//   - Airs: the driver on the emulated chip, a radio of the simulated air and a node of it in virtual time do the same.
//   - Churn: random networks of nodes that are restarted, cut off and reconfigured. Afterwards all are one mesh again.
//   - Long life: 16 nodes, a week, a fault every 10 to 60 minutes.
//
// With -v the tests print what they measured. CONTRIBUTING.md has the variables that make them longer.
package trials

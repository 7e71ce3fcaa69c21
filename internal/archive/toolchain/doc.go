// Package toolchain makes the content of a layer with the tools of its language: pip or
// uv, npm, strip, or a script of the layer's own.
//
//	built, err := toolchain.Build(ctx, toolchain.Options{Dir: "layers/common", Layer: layer, Work: temporary})
//	packed, err := archive.Pack(out, built.Files, nil)
//
// # What is promised
//
//   - Nothing is compiled and no code of a package runs: wheels only, and npm without
//     install scripts. The network is used as the tools' own configuration says.
//   - A package is taken for the runtimes' C library and the layer's architecture, and
//     not for the machine that builds. What would differ between two Pythons or two
//     architectures of one layer is a problem, which says how to split it.
//   - pip downloads, and layerd unpacks: a wheel that names paths outside itself, or is
//     a bomb, is a problem.
//   - Everything is written below Work. What a tool prints goes to Log.
//
// strip writes what its own version writes: a layer that uses it has the same bytes only
// where binutils are the same.
package toolchain

package archive

import (
	"bytes"
	"debug/elf"
	"fmt"
	"strings"
)

// Binary is one ELF file of a layer: what it was made for.
type Binary struct {
	Name    string
	Machine string // as Lambda names architectures, or ELF's own name for another
	Needs   Libc   // the highest version of glibc that it asks for; zero = none
	Musl    bool   // it needs musl, which no runtime of Lambda has
	Debug   bool   // it has symbols that strip takes away
}

// parseELF reads what an ELF file needs. debug/elf reads what anybody wrote, and a
// file of others must not end the process: a panic is an error.
func parseELF(name string, data []byte) (b Binary, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("is no ELF file that can be read: %v", p)
		}
	}()
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return b, fmt.Errorf("is no ELF file that can be read: %w", err)
	}
	b = Binary{Name: name, Machine: machine(f.Machine)}
	libraries, _ := f.ImportedLibraries() // a static one has none
	for _, l := range libraries {
		b.Musl = b.Musl || strings.HasPrefix(l, "libc.musl-") || strings.HasPrefix(l, "ld-musl-")
	}
	needs, _ := f.DynamicVersionNeeds()
	for _, n := range needs {
		for _, dep := range n.Needs {
			if v, ok := parseLibc(dep.Dep); ok && v.Compare(b.Needs) > 0 {
				b.Needs = v
			}
		}
	}
	b.Debug = f.Section(".symtab") != nil || f.Section(".debug_info") != nil || f.Section(".zdebug_info") != nil
	return b, nil
}

func machine(m elf.Machine) string {
	switch m {
	case elf.EM_X86_64:
		return "x86_64"
	case elf.EM_AARCH64:
		return "arm64"
	default:
		return strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
	}
}

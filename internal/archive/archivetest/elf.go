// Package archivetest makes what tests of archives need: ELF files that ask for a C
// library, and wheels.
package archivetest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// ELF returns a shared library for a machine that needs libraries and versions of
// them: needs["libc.so.6"] = {"GLIBC_2.17"}. Loaders would refuse it, it has no code.
func ELF(machine elf.Machine, needs map[string][]string) []byte {
	str := newStrings()
	var dynamic, versions bytes.Buffer
	le := binary.LittleEndian
	put := func(b *bytes.Buffer, v any) { _ = binary.Write(b, le, v) } // a buffer takes everything
	left := len(needs)
	for _, lib := range sorted(needs) {
		put(&dynamic, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: uint64(str.add(lib))})
		left--
		const head, aux = 16, 16
		next := uint32(0)
		if left > 0 {
			next = uint32(head + aux*len(needs[lib]))
		}
		put(&versions, struct {
			Version, Count  uint16
			File, Aux, Next uint32
		}{1, uint16(len(needs[lib])), str.add(lib), head, next})
		for i, v := range needs[lib] {
			after := uint32(aux)
			if i == len(needs[lib])-1 {
				after = 0
			}
			put(&versions, struct {
				Hash         uint32
				Flags, Other uint16
				Name, Next   uint32
			}{0, 0, uint16(i + 2), str.add(v), after})
		}
	}
	put(&dynamic, elf.Dyn64{})
	names := newStrings()
	sections := []section{
		{},
		{names.add(".dynstr"), elf.SHT_STRTAB, str.data(), 0, 0},
		{names.add(".gnu.version_r"), elf.SHT_GNU_VERNEED, versions.Bytes(), 1, uint32(len(needs))},
		{names.add(".dynamic"), elf.SHT_DYNAMIC, dynamic.Bytes(), 1, 0},
		{names.add(".dynsym"), elf.SHT_DYNSYM, make([]byte, elf.Sym64Size*2), 1, 0},
		{names.add(".gnu.version"), elf.SHT_GNU_VERSYM, make([]byte, 4), 4, 0},
	}
	sections = append(sections, section{names.add(".shstrtab"), elf.SHT_STRTAB, nil, 0, 0})
	sections[len(sections)-1].data = names.data()
	return assemble(machine, sections)
}

type section struct {
	name       uint32
	kind       elf.SectionType
	data       []byte
	link, info uint32
}

func assemble(machine elf.Machine, sections []section) []byte {
	const header, entry = 64, 64
	var body, table bytes.Buffer
	put := func(b *bytes.Buffer, v any) { _ = binary.Write(b, binary.LittleEndian, v) }
	for _, s := range sections {
		size := map[elf.SectionType]uint64{elf.SHT_DYNAMIC: 16, elf.SHT_DYNSYM: elf.Sym64Size, elf.SHT_GNU_VERSYM: 2}[s.kind]
		put(&table, elf.Section64{Name: s.name, Type: uint32(s.kind), Off: uint64(header + body.Len()), Size: uint64(len(s.data)), Link: s.link, Info: s.info, Entsize: size, Addralign: 1})
		body.Write(s.data)
	}
	var out bytes.Buffer
	h := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: 1, Shoff: uint64(header + body.Len()), Ehsize: header,
		Shentsize: entry, Shnum: uint16(len(sections)), Shstrndx: uint16(len(sections) - 1),
	}
	copy(h.Ident[:], "\x7fELF")
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	put(&out, h)
	out.Write(body.Bytes())
	out.Write(table.Bytes())
	return out.Bytes()
}

// table is a table of strings as ELF has them.
type table struct{ buf bytes.Buffer }

func newStrings() *table {
	t := &table{}
	t.buf.WriteByte(0)
	return t
}

func (t *table) add(s string) uint32 {
	at := t.buf.Len()
	t.buf.WriteString(s)
	t.buf.WriteByte(0)
	return uint32(at)
}

func (t *table) data() []byte { return t.buf.Bytes() }

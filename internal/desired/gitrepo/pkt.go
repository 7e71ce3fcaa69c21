package gitrepo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Git speaks in packets: four hexadecimal digits with a length, then so many bytes
// less four. Lengths below four have no bytes and a meaning of their own.
const (
	packetFlush     = 0 // the end of a list, or of an answer
	packetDelimiter = 1 // the end of a section, in protocol 2
	packetEnd       = 2 // the end of an answer, in protocol 2
	packetHeader    = 4
)

// errNotGit is what does not begin as a packet.
var errNotGit = errors.New("no packet of Git's protocol")

// refusal is what the server says instead of an answer.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// packets reads packets one by one.
type packets struct{ *bufio.Reader }

func newPackets(r io.Reader) packets { return packets{bufio.NewReader(r)} }

// next returns the bytes of the next packet, or nil and which of the empty ones it
// is.
func (p packets) next() (line []byte, empty int, err error) {
	var head [packetHeader]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return nil, 0, err
	}
	length, err := strconv.ParseUint(string(head[:]), 16, 16)
	if err != nil || length == 3 {
		return nil, 0, errNotGit
	}
	if length < packetHeader {
		return nil, int(length), nil
	}
	line = make([]byte, length-packetHeader)
	if _, err := io.ReadFull(p, line); err != nil {
		return nil, 0, broken(err)
	}
	if text, ok := bytes.CutPrefix(line, []byte("ERR ")); ok {
		return nil, 0, &refusal{strings.TrimSpace(string(text))}
	}
	return line, packetHeader, nil
}

// broken is the end of the input in the middle of something.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// lines yields the lines up to the next packet without bytes.
func (p packets) lines(yield func(line string)) error {
	for {
		line, empty, err := p.next()
		if err != nil {
			return broken(err)
		}
		if empty != packetHeader {
			return nil
		}
		yield(strings.TrimSuffix(string(line), "\n"))
	}
}

// request is a request that is put together in memory.
type request struct{ bytes.Buffer }

func (r *request) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...) + "\n"
	fmt.Fprintf(r, "%04x%s", len(text)+packetHeader, text)
}

func (r *request) empty(kind int) { fmt.Fprintf(r, "%04x", kind) }

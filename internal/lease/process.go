package lease

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
)

// Process is which process of which machine a holder is, so that whoever comes
// next on that machine can prove that it has ended. Stored: names and meanings
// stay. A field that is empty is not known, and what is not known proves nothing.
type Process struct {
	Host string `json:"host"` // the name of the machine or the container
	// Instance is a name of the machine that no other ever has, whatever was
	// copied: the ID of an EC2 instance. A machine ID is none, images carry it.
	Instance string `json:"instance,omitempty"`
	Boot     string `json:"boot"` // random, made by the kernel when it starts
	// Pids and Times are the namespaces that PID and Start belong to: in another
	// one the same numbers mean another process.
	Pids  string `json:"pid_namespace"`
	Times string `json:"time_namespace,omitempty"`
	PID   int    `json:"pid"`
	Start int64  `json:"start"` // when it was started, in ticks since the boot
}

// machine is what can be asked about the processes here.
type machine struct {
	proc fs.FS // /proc
	// signal is kill(2) with signal 0. It finds processes that /proc hides from
	// this user (hidepid).
	signal func(pid int) error
}

// ended reports whether a holder has provably ended, as seen by me. Whatever is
// not known, or cannot be read, proves nothing: a holder that lives must never
// look dead, and one that is dead is followed a term later anyway.
func (m machine) ended(holder, me *Process) bool {
	switch {
	case holder == nil || me == nil || holder.Boot == "" || me.Boot == "":
		return false
	case holder.Instance != me.Instance, holder.Host != me.Host || me.Host == "":
		return false // another machine or container, or one that was renamed
	case holder.Boot != me.Boot:
		// Nothing survives the boot of its machine. That it is the same machine
		// is sure only with a name that cannot be copied.
		return me.Instance != ""
	case holder.Pids != me.Pids || me.Pids == "" || holder.Times != me.Times:
		return false // a container on the same kernel, which may well live
	case holder.PID <= 0 || holder.Start <= 0:
		return false
	case holder.PID == me.PID:
		return holder.Start != me.Start
	}
	return m.gone(holder.PID, holder.Start)
}

// gone reports whether no process with this number and start runs here. Two
// living namespaces never have the same name, so one of that name which is not
// the holder's proves that the holder's is gone.
func (m machine) gone(pid int, start int64) bool {
	if err := m.signal(pid); errors.Is(err, syscall.ESRCH) {
		return true
	}
	now, err := readStat(m.proc, strconv.Itoa(pid))
	if err != nil {
		return false // it is there, and hidden
	}
	// A zombie runs nothing any more once its last thread has ended.
	return now.start != start || now.state == "Z" && now.threads <= 1 || now.state == "X"
}

// stat is what /proc/PID/stat has.
type stat struct {
	state   string
	threads int
	start   int64
}

// errStat: the file is not as proc(5) describes it.
var errStat = errors.New("unknown form of /proc/PID/stat")

func readStat(proc fs.FS, pid string) (stat, error) {
	data, err := fs.ReadFile(proc, pid+"/stat")
	if err != nil {
		return stat{}, err
	}
	// The second field is the program's name in brackets, which may hold anything.
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const state, threads, start = 3 - 3, 20 - 3, 22 - 3 // by their numbers in proc(5)
	if len(fields) <= start {
		return stat{}, errStat
	}
	s := stat{state: fields[state]}
	if s.threads, err = strconv.Atoi(fields[threads]); err != nil {
		return stat{}, errStat
	}
	if s.start, err = strconv.ParseInt(fields[start], 10, 64); err != nil || s.start <= 0 {
		return stat{}, errStat
	}
	return s, nil
}

// describe returns which process pid is, this one, on a machine with this name;
// nil where that cannot be said so that others could prove its end. sys is /sys.
func (m machine) describe(sys fs.FS, host string, pid int) *Process {
	// A /proc of another namespace is about other processes.
	if self, err := fs.ReadLink(m.proc, "self"); err != nil || self != strconv.Itoa(pid) {
		return nil
	}
	boot, err := fs.ReadFile(m.proc, "sys/kernel/random/boot_id")
	if err != nil {
		return nil
	}
	pids, err := fs.ReadLink(m.proc, "self/ns/pid")
	if err != nil {
		return nil
	}
	times, err := fs.ReadLink(m.proc, "self/ns/time")
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // an old kernel has none
		return nil
	}
	now, err := readStat(m.proc, "self")
	if err != nil {
		return nil
	}
	p := &Process{Host: host, Boot: strings.TrimSpace(string(boot)), Pids: pids, Times: times, PID: pid, Start: now.start}
	// EC2 writes the ID of the instance there; elsewhere it is what the owner or
	// the maker of the machine liked.
	tag, err := fs.ReadFile(sys, "devices/virtual/dmi/id/board_asset_tag")
	if id := strings.TrimSpace(string(tag)); err == nil && strings.HasPrefix(id, "i-") {
		if vendor, err := fs.ReadFile(sys, "devices/virtual/dmi/id/sys_vendor"); err == nil && strings.TrimSpace(string(vendor)) == "Amazon EC2" {
			p.Instance = id
		}
	}
	if p.Boot == "" || p.Host == "" {
		return nil
	}
	return p
}

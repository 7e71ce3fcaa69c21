package lease

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
)

const (
	boot      = "923124d5-86ad-4901-ac89-a1ae34370304"
	otherBoot = "f00dfeed-86ad-4901-ac89-a1ae34370304"
	pids      = "pid:[4026531836]"
	times     = "time:[4026531834]"
)

// statLine is a line of /proc/PID/stat as Linux 6.1 writes it.
func statLine(pid int, comm, state string, threads int, start int64) string {
	return fmt.Sprintf("%d (%s) %s 1 %d %d 0 -1 4194304 98 0 0 0 0 0 0 0 20 0 %d 0 %d 3133440 382 18446744073709551615 1 1 0\n", pid, comm, state, pid, pid, threads, start)
}

// fakeProc is the /proc of process me, with files of other processes by path.
func fakeProc(me int, files map[string]string) fstest.MapFS {
	proc := fstest.MapFS{
		"self":                        {Mode: fs.ModeSymlink, Data: fmt.Append(nil, me)},
		fmt.Sprintf("%d/ns/pid", me):  {Mode: fs.ModeSymlink, Data: []byte(pids)},
		fmt.Sprintf("%d/ns/time", me): {Mode: fs.ModeSymlink, Data: []byte(times)},
		fmt.Sprintf("%d/stat", me):    {Data: []byte(statLine(me, "layerd", "R", 9, 9000))},
		"sys/kernel/random/boot_id":   {Data: []byte(boot + "\n")},
	}
	for name, text := range files {
		proc[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return proc
}

// TestP9Ended: a holder is gone only where that is proven.
func TestP9Ended(t *testing.T) {
	const me, pid, start = 77, 42, 5000
	base := Process{Host: "host", Boot: boot, Pids: pids, Times: times, PID: pid, Start: start}
	mine := base
	mine.PID, mine.Start = me, 9000
	type env struct {
		holder, me Process
		files      map[string]string
		signal     error // what kill(2) says about the holder's number
	}
	living := map[string]string{"42/stat": statLine(pid, "layerd", "S", 9, start)}
	for name, tt := range map[string]struct {
		change func(*env)
		want   bool
	}{
		"no process of that number":             {func(e *env) { e.files, e.signal = nil, syscall.ESRCH }, true},
		"the number belongs to a later process": {func(e *env) { e.files = map[string]string{"42/stat": statLine(pid, "bash", "S", 1, start+1)} }, true},
		"the number is ours now":                {func(e *env) { e.holder.PID = me }, true},
		"a zombie":                              {func(e *env) { e.files = map[string]string{"42/stat": statLine(pid, "layerd", "Z", 1, start)} }, true},
		"another boot of one EC2 instance":      {func(e *env) { e.holder.Instance, e.me.Instance, e.holder.Boot = "i-0123", "i-0123", otherBoot }, true},
		"another boot, and the namespaces are none either": {func(e *env) {
			e.holder = Process{Host: "host", Instance: "i-0123", Boot: otherBoot}
			e.me.Instance = "i-0123"
		}, true},

		"it lives":                             {func(*env) {}, false},
		"it lives, with brackets in its name":  {func(e *env) { e.files = map[string]string{"42/stat": statLine(pid, "a) Z 1 (b", "S", 9, start)} }, false},
		"it lives and belongs to another user": {func(e *env) { e.signal = syscall.EPERM }, false},
		"/proc hides it (hidepid)":             {func(e *env) { e.files, e.signal = nil, syscall.EPERM }, false},
		"/proc hides it from root's kill":      {func(e *env) { e.files = nil }, false},
		"kill fails otherwise":                 {func(e *env) { e.files, e.signal = nil, errors.New("seccomp") }, false},
		"a zombie whose threads run":           {func(e *env) { e.files = map[string]string{"42/stat": statLine(pid, "layerd", "Z", 3, start)} }, false},
		"stopped":                              {func(e *env) { e.files = map[string]string{"42/stat": statLine(pid, "layerd", "T", 9, start)} }, false},
		"an unknown form of stat":              {func(e *env) { e.files = map[string]string{"42/stat": "42 (layerd) S 1\n"} }, false},
		"stat is empty":                        {func(e *env) { e.files = map[string]string{"42/stat": ""} }, false},
		"it is us":                             {func(e *env) { e.holder = e.me }, false},

		"another pid namespace, one kernel":    {func(e *env) { e.holder.Pids, e.files, e.signal = "pid:[4026532999]", nil, syscall.ESRCH }, false},
		"another container, one namespace":     {func(e *env) { e.holder.Host, e.files, e.signal = "0a1b2c3d4e5f", nil, syscall.ESRCH }, false},
		"another time namespace":               {func(e *env) { e.holder.Times, e.holder.Start = "time:[4026532998]", start+1 }, false},
		"a cloned machine, which has its boot": {func(e *env) { e.holder.Boot, e.files, e.signal = otherBoot, nil, syscall.ESRCH }, false},
		"another EC2 instance of one image":    {func(e *env) { e.holder.Instance, e.me.Instance, e.holder.Boot = "i-0123", "i-4567", otherBoot }, false},
		"a copy of a running machine on EC2":   {func(e *env) { e.holder.Instance, e.me.Instance, e.signal = "i-0123", "i-4567", syscall.ESRCH }, false},
		"only one knows its instance":          {func(e *env) { e.me.Instance, e.signal = "i-0123", syscall.ESRCH }, false},

		"the holder's boot is not known":      {func(e *env) { e.holder.Boot, e.signal = "", syscall.ESRCH }, false},
		"our boot is not known":               {func(e *env) { e.me.Boot, e.signal = "", syscall.ESRCH }, false},
		"neither boot is known":               {func(e *env) { e.holder.Boot, e.me.Boot, e.signal = "", "", syscall.ESRCH }, false},
		"the holder's namespace is not known": {func(e *env) { e.holder.Pids, e.signal = "", syscall.ESRCH }, false},
		"no namespace is known":               {func(e *env) { e.holder.Pids, e.me.Pids, e.signal = "", "", syscall.ESRCH }, false},
		"no host is known":                    {func(e *env) { e.holder.Host, e.me.Host, e.signal = "", "", syscall.ESRCH }, false},
		"the holder's number is not known":    {func(e *env) { e.holder.PID, e.signal = 0, syscall.ESRCH }, false},
		"a group of processes is no process":  {func(e *env) { e.holder.PID, e.signal = -42, syscall.ESRCH }, false},
		"its start is not known":              {func(e *env) { e.holder.Start = 0 }, false},
		"the machine was renamed":             {func(e *env) { e.me.Host, e.signal = "ip-10-0-0-1", syscall.ESRCH }, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := env{holder: base, me: mine, files: living}
			tt.change(&e)
			m := machine{proc: fakeProc(me, e.files), signal: func(int) error { return e.signal }}
			if got := m.ended(&e.holder, &e.me); got != tt.want {
				t.Errorf("ended = %v, want %v", got, tt.want)
			}
			if m.ended(nil, &e.me) || m.ended(&e.holder, nil) {
				t.Error("an older layerd, or a machine that knows nothing, proves something")
			}
		})
	}
}

// TestP9Describe: what cannot be known for sure is not claimed.
func TestP9Describe(t *testing.T) {
	const pid = 77
	ec2 := fstest.MapFS{
		"devices/virtual/dmi/id/board_asset_tag": {Data: []byte("i-0abc\n")},
		"devices/virtual/dmi/id/sys_vendor":      {Data: []byte("Amazon EC2\n")},
	}
	whole := Process{Host: "host", Boot: boot, Pids: pids, Times: times, PID: pid, Start: 9000}
	on := func(instance string) *Process { p := whole; p.Instance = instance; return &p }
	for name, tt := range map[string]struct {
		change func(proc, sys fstest.MapFS)
		host   string
		want   *Process
	}{
		"all is there":                           {func(_, _ fstest.MapFS) {}, "host", on("i-0abc")},
		"no EC2":                                 {func(_, sys fstest.MapFS) { clear(sys) }, "host", on("")},
		"the owner's tag looks like an instance": {func(_, sys fstest.MapFS) { sys["devices/virtual/dmi/id/sys_vendor"].Data = []byte("QEMU\n") }, "host", on("")},
		"the tag is something else":              {func(_, sys fstest.MapFS) { sys["devices/virtual/dmi/id/board_asset_tag"].Data = []byte("Amazon EC2\n") }, "host", on("")},
		"an old kernel without time namespaces":  {func(proc, _ fstest.MapFS) { delete(proc, "77/ns/time") }, "host", &Process{Host: "host", Instance: "i-0abc", Boot: boot, Pids: pids, PID: pid, Start: 9000}},
		"a /proc of another namespace":           {func(proc, _ fstest.MapFS) { proc["self"].Data = []byte("4711") }, "host", nil},
		"no /proc":                               {func(proc, _ fstest.MapFS) { clear(proc) }, "host", nil},
		"no boot":                                {func(proc, _ fstest.MapFS) { delete(proc, "sys/kernel/random/boot_id") }, "host", nil},
		"an empty boot":                          {func(proc, _ fstest.MapFS) { proc["sys/kernel/random/boot_id"].Data = []byte("\n") }, "host", nil},
		"no namespaces":                          {func(proc, _ fstest.MapFS) { delete(proc, "77/ns/pid") }, "host", nil},
		"no stat":                                {func(proc, _ fstest.MapFS) { delete(proc, "77/stat") }, "host", nil},
		"no name":                                {func(_, _ fstest.MapFS) {}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			proc, sys := fakeProc(pid, nil), fstest.MapFS{}
			for path, f := range ec2 {
				copied := *f
				sys[path] = &copied
			}
			tt.change(proc, sys)
			got := machine{proc: proc}.describe(sys, tt.host, pid)
			if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestP9RealProcess asks the kernel about a process that lives, one that was killed
// and nobody waited for, and one that is gone.
func TestP9RealProcess(t *testing.T) {
	me := thisProcess()
	if me == nil {
		t.Skip("this machine does not say which process this is")
	}
	child := exec.Command(os.Args[0], "-test.run=^TestP9Sleeper$")
	child.Env = append(os.Environ(), sleeperVar+"=1")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	m := here()
	now, err := readStat(m.proc, fmt.Sprint(child.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	holder := *me
	holder.PID, holder.Start = child.Process.Pid, now.start
	if m.ended(&holder, me) || m.ended(me, me) {
		t.Error("a process that lives has ended")
	}
	later := holder
	later.Start--
	if !m.ended(&later, me) {
		t.Error("one that had its number before lives on")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitForZombie(t, child.Process.Pid)
	if !m.ended(&holder, me) {
		t.Error("a process that was killed lives until somebody waits for it")
	}
	if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Wait: %v", err)
	}
	if !m.ended(&holder, me) {
		t.Error("a process that is gone lives")
	}
}

const sleeperVar = "LAYERD_TEST_SLEEPER"

// TestP9Sleeper is the process that TestP9RealProcess kills.
func TestP9Sleeper(t *testing.T) {
	if os.Getenv(sleeperVar) == "" {
		t.Skip("it is started by another test")
	}
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// Package sqlitestore keeps a store.Store in one SQLite file.
//
// It is the default store of one machine: the daemon writes it while `layerd
// history` reads it, two daemons on one host may share it, and anybody can look
// into it with a standard tool.
//
//	s, err := sqlitestore.Open("/var/lib/layerd/layerd.db")         // creates it if need be
//	s, err := sqlitestore.OpenReadOnly("/var/lib/layerd/layerd.db") // never creates anything
//	if errors.Is(err, fs.ErrNotExist) { … }                         // there is no past yet
//
// # What is promised
//
// A write that returned without an error survives a killed process and a lost
// power supply (write-ahead log, synchronous=FULL). Any number of processes on
// one host may have the file open. A writer waits for other writers for five
// seconds, or until its context ends; then it gets store.ErrBusy or the
// context's error. Open waits the same way, and fails where writing would. The
// file and a folder made for it belong to their owner alone (0600, 0700).
//
// The file is known by its name. When it, its log or its shared memory was
// deleted or replaced under an open store, or an older copy was written over it,
// every call is store.ErrReplaced until Reopen, which makes no file where there
// is none. A copy that was written over the open file is taken as it is; the log
// that does not belong to it is put aside as NAME.replaced-wal.
//
// A file that is not ours is never changed: another program's database, one of
// a newer layerd (store.ErrNewer), a damaged one (store.ErrCorrupt). Full disks
// are syscall.ENOSPC. Errors name the file.
//
// # What is not
//
// A copy that is written over the open file is noticed where it lacks a write that
// was in the file, and not in the log alone, when a call last looked. One that
// lacks only what the log has is made whole by the log, and nothing is lost.
//
// It must not lie on a network file system (NFS, EFS): the log is shared memory
// between processes. Damage inside the bytes of a value, which SQLite has no
// checksum for, is not noticed.
//
// # Do not open the file by other means
//
// A process that has a store open must not open and close the same file by
// itself, not even to copy it: POSIX drops all locks of a process on a file
// when any descriptor of it is closed. SQLite and this package know; a backup
// should use another process (sqlite3 layerd.db ".backup copy.db").
//
// # Reading only
//
// SQLite needs its shared memory file even for reading, and makes it (and an
// empty log) beside the database where it can. Where it cannot, because the
// folder is read-only and nobody has the database open, the file is read as it
// lies; should somebody begin to write it after all, calls fail rather than
// return a mixture.
package sqlitestore

package archive

import "strings"

// standard are the modules of Python's standard library, of 3.8 to 3.14 together: what
// sys.stdlib_module_names lists, without those that begin with an underscore.
var standard = fields(`
	abc aifc antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb
	binascii bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop
	collections colorsys compileall concurrent configparser contextlib contextvars copy copyreg
	crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest email
	encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib
	functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html
	http idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3
	linecache locale logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder msilib
	msvcrt multiprocessing netrc nis nntplib nt ntpath nturl2path numbers opcode operator optparse
	os ossaudiodev pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix
	posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri
	random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve
	shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3 sre_compile
	sre_constants sre_parse ssl stat statistics string stringprep struct subprocess sunau symtable
	sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap this threading time
	timeit tkinter token tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types
	typing unicodedata unittest urllib uu uuid venv warnings wave weakref webbrowser winreg winsound
	wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo
	annotationlib compression asynchat asyncore distutils imp smtpd binhex formatter parser symbol
	macpath dummy_threading
`)

// gone are modules that left the standard library, and the first Python without them. A
// layer for later ones may carry them.
var gone = map[string]string{
	"formatter": "3.10", "parser": "3.10", "symbol": "3.10", "macpath": "3.8", "dummy_threading": "3.9", "binhex": "3.11",
	"asynchat": "3.12", "asyncore": "3.12", "distutils": "3.12", "imp": "3.12", "smtpd": "3.12",
	"aifc": "3.13", "audioop": "3.13", "cgi": "3.13", "cgitb": "3.13", "chunk": "3.13", "crypt": "3.13", "imghdr": "3.13",
	"lib2to3": "3.13", "mailcap": "3.13", "msilib": "3.13", "nis": "3.13", "nntplib": "3.13", "ossaudiodev": "3.13", "pipes": "3.13",
	"sndhdr": "3.13", "spwd": "3.13", "sunau": "3.13", "telnetlib": "3.13", "uu": "3.13", "xdrlib": "3.13",
}

// arrived are modules that came into it after 3.8, and the first Python that has them.
var arrived = map[string]string{
	"graphlib": "3.9", "zoneinfo": "3.9", "tomllib": "3.11", "annotationlib": "3.14", "compression": "3.14",
}

func fields(s string) map[string]bool {
	set := map[string]bool{}
	for name := range strings.FieldsSeq(s) {
		set[name] = true
	}
	return set
}

// inStandardLibrary reports whether one of the Pythons has a module of that name.
func inStandardLibrary(module string, pythons []string) bool {
	if !standard[module] {
		return false
	}
	for _, p := range pythons {
		if until, left := gone[module]; left && compareVersions(p, until) >= 0 {
			continue
		}
		if since, came := arrived[module]; came && compareVersions(p, since) < 0 {
			continue
		}
		return true
	}
	return false
}

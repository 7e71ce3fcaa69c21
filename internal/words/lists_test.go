package words

import "testing"

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 KB", 1024: "1.0 KB", 51 << 10: "51 KB",
		262_144_000: "250 MB", 50 << 20: "50 MB", 5<<20 + 300<<10: "5.3 MB", 1 << 30: "1.0 GB", 2000 << 40: "2000 TB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestAnd(t *testing.T) {
	for want, list := range map[string][]string{"nothing": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := And(list); got != want {
			t.Errorf("And(%q) = %q, want %q", list, got, want)
		}
	}
}

package main

import (
	"testing"
	"time"
)

func TestParseAt(t *testing.T) {
	zone := tokyo(t)
	tests := []struct{ text, want string }{
		{"", "2026-11-25T01:30:00Z"},
		{"2026-11-28T02:00:00+09:00", "2026-11-27T17:00:00Z"},
		{"2026-11-28 02:00", "2026-11-27T17:00:00Z"},
		{"2026-11-28T02:00", "2026-11-27T17:00:00Z"},
		{"2026-11-28", "2026-11-27T15:00:00Z"},
	}
	for _, tt := range tests {
		got, err := parseAt(tt.text, zone, testNow)
		if err != nil || got.UTC().Format(time.RFC3339) != tt.want {
			t.Errorf("parseAt(%q) = %s, %v; want %s", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{"tomorrow", "2026-13-01", "02:00", "2026-11-28 25:00"} {
		if got, err := parseAt(text, zone, testNow); codeOf(err) != exitUsage {
			t.Errorf("parseAt(%q) = %s, %v", text, got, err)
		}
	}
}

func TestParseWhen(t *testing.T) {
	for text, want := range map[string]time.Duration{"7d": 7 * 24 * time.Hour, "12h": 12 * time.Hour, "90m": 90 * time.Minute, "2w": 14 * 24 * time.Hour} {
		got, err := parseWhen("since", text, time.UTC, testNow)
		if err != nil || testNow.Sub(got) != want {
			t.Errorf("parseWhen(%q) = %s, %v", text, got, err)
		}
	}
	if got, err := parseWhen("since", "", time.UTC, testNow); err != nil || !got.IsZero() {
		t.Errorf("nothing is %s, %v", got, err)
	}
}

func TestDefaultStore(t *testing.T) {
	tests := []struct{ state, xdg, home, want string }{
		{"/var/lib/layerd:/var/lib/other", "/x", "/h", "/var/lib/layerd/layerd.db"},
		{"", "/x", "/h", "/x/layerd/layerd.db"},
		{"", "relative", "/h", "/h/.local/state/layerd/layerd.db"},
		{"", "", "/h", "/h/.local/state/layerd/layerd.db"},
		{"", "", "", ""},
	}
	for _, tt := range tests {
		a := &app{env: func(name string) string {
			return map[string]string{"STATE_DIRECTORY": tt.state, "XDG_STATE_HOME": tt.xdg, "HOME": tt.home}[name]
		}}
		got, err := a.defaultStorePath()
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
}

package strictyaml

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "30m": 30 * time.Minute, "24h": 24 * time.Hour, "7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, "0s": 0} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "7", "-1h", "+1h", "1.5h", "1h1d", "5000d", "999999999h", "10ns", "10ms", "１h", "7 d", "1d1d", "1dd"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %s, want an error", text, got)
		}
	}
	for text, want := range map[string]string{"30 min": "30m", "1 hour": "1h", "2 weeks": "14d", "7 Days": "7d", "1 month": "", "5": "", "soon": "", "10 sec": "10s"} {
		if got := likelyDuration(text); got != want {
			t.Errorf("likelyDuration(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestFullWidth(t *testing.T) {
	e := FullWidth("ab：１")
	if e == nil || e.Code != "full_width" || e.Offset != 2 || e.Suggestion != "ab:1" {
		t.Errorf("have %+v, want the colon at 2 and ab:1", e)
	}
	if e := FullWidth("MAKOTO共通ライブラリ"); e != nil {
		t.Errorf("text in Japanese: %+v", e)
	}
}

package window_test

import (
	"fmt"
	"time"
	_ "time/tzdata"

	"github.com/layerd/layerd/internal/window"
)

func Example() {
	zone, err := window.LoadZone("Asia/Tokyo")
	if err != nil {
		fmt.Println(err)
		return
	}
	saturday, err := window.Parse("Saturday 02:00-06:00", zone)
	if err != nil {
		fmt.Println(err)
		return
	}
	yearEnd, err := window.ParseFreeze("12-28", "01-03", "year", zone)
	if err != nil {
		fmt.Println(err)
		return
	}
	yearEnd.Reason, yearEnd.Owner = "year end", "platform"
	c := window.Calendar{
		Windows: []window.Window{saturday},
		Freezes: []window.Freeze{yearEnd},
		Cutoff:  30 * time.Minute,
		Zone:    zone,
	}

	for _, now := range []string{"2026-12-26T03:00:00+09:00", "2026-12-26T05:45:00+09:00", "2027-01-02T03:00:00+09:00", "2027-01-04T12:00:00+09:00"} {
		t, err := time.Parse(time.RFC3339, now)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(c.At(t).Reason)
	}
	_, err = window.Parse("土曜日 02：00〜06：00 JST", nil)
	fmt.Println(err)

	// Output:
	// open until Sat 2026-12-26 06:00 JST, starts until Sat 2026-12-26 05:30 JST (Saturday 02:00-06:00 Asia/Tokyo)
	// closing: nothing starts in the last 30m before Sat 2026-12-26 06:00 JST, opens Sat 2027-01-09 02:00 JST
	// frozen until Mon 2027-01-04 00:00 JST: year end (platform), opens Sat 2027-01-09 02:00 JST
	// closed, opens Sat 2027-01-09 02:00 JST (Saturday 02:00-06:00 Asia/Tokyo)
	// window "土曜日 02：00〜06：00 JST": unexpected character '土' (U+571F); write "Sat 02:00-06:00 JST"
}

// Package window answers one question: may a change start now, and if not, when?
//
// A [Window] recurs: "Saturday 02:00-06:00 JST", "first Saturday 02:00-06:00", or a
// cron expression with a length. A [Freeze] forbids. A [Calendar] is what an environment has of both,
// and its open time is the union of all windows minus all freezes, half-open:
// the first instant is inside, the last one is not.
//
//	zone, err := window.LoadZone("Asia/Tokyo")
//	saturday, err := window.Parse("Saturday 02:00-06:00", zone)
//	yearEnd, err := window.ParseFreeze("2026-12-28", "2027-01-03", "year", zone)
//	c := window.Calendar{
//		Windows: []window.Window{saturday},
//		Freezes: []window.Freeze{yearEnd},
//		Cutoff:  30 * time.Minute, // start nothing this close to the end
//		Zone:    zone,             // for messages
//	}
//	s := c.At(now)          // s.Open, s.Reason, s.ClosesAt, s.NextOpen
//	next := c.Next(now, 5)  // the next five openings
//	notices := c.Check(now) // what a person should know in advance
//
// # Clocks that jump
//
// A scheduled time is a time on the wall. It happens at the first instant at
// which the clock shows that time or a later one. So a time inside a spring gap
// happens when the gap ends, a time that autumn repeats happens the first time,
// and there is at most one occurrence per scheduled start. From that one rule
// follows:
//
//   - HH:MM windows keep the end on the wall. Where the clock jumps from 02:00
//     to 03:00, 02:30-03:30 is 03:00-03:30, 02:00-02:30 is not at all (Check
//     warns in advance), and 00:00-04:00 ends at 04:00 after three hours.
//     In autumn 00:00-04:00 lasts five hours and 01:00-02:00 two.
//   - Cron windows keep their elapsed length. In spring "30 2" for 1h is
//     03:00-04:00 and "0 0" for 4h ends at 05:00; in autumn the latter ends at
//     03:00, and "0 1" for 1h is the first of the two hours only.
//
// An overnight window belongs to the day on which it started: "Fri 22:00-04:00"
// is Friday night, never the small hours of Friday. 24:00 is the midnight that
// ends a day and may only be an end; "Sat 00:00-24:00" is a whole Saturday. Later
// hours are the next day's: for "Sat 25:00-30:00", as Japanese timetables write it,
// "Sunday 01:00-06:00" is offered. A
// freeze errs to the safe side: it begins when its first time is first shown
// and ends when its last time has passed for good.
//
// # Promised
//
// It is pure: the caller passes the time. A zero time is never open, and
// neither is a zero Window. Nothing here panics on what a user wrote. Problems
// are a [*ParseError], with the place in the text and what to write.
//
// # Not promised
//
// The future is searched for 400 days and no further: what happens later is
// reported as never, and so is what happens after the year 9999. Seconds do not exist in a window; a Freeze and a cutoff
// may have any precision. The rules of a zone are those of the time zone
// database of this machine, or of time/tzdata where the program embeds it.
package window

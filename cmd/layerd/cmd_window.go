package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/window"
)

func (a *app) windowCommand() *cobra.Command {
	var (
		repo   repoFlags
		output oneOf
		at     string
	)
	cmd := &cobra.Command{
		Use:   "window ENV --repo PATH|URL",
		Short: "Say whether a change may start now, why, and when next",
		Long: `window says whether the change window of an environment is open, what closes it
(freezes count), and when it opens next. It asks AWS nothing.`,
		Example: `  layerd window prod --repo .
  layerd window prod --repo . --at "2026-12-31 23:00"`,
		Args:              arguments("ENV"),
		ValidArgsFunction: a.completeEnvironments,
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := a.load(cmd.Context(), repo)
			if err != nil {
				return err
			}
			regions, err := environmentsNamed(src.tree, args[0])
			if err != nil {
				return err
			}
			// All Regions of an environment have one calendar.
			now, err := parseAt(at, regions[0].Zone, a.now())
			if err != nil {
				return err
			}
			if output.value == "json" {
				return a.printJSON(present.WindowDocument(regions[0], now))
			}
			return a.print(present.Window(regions[0], now, present.Options{Palette: a.palette(), Width: width(a.out)}))
		},
	}
	repo.add(cmd)
	outputFlag(cmd, &output, "text", "json")
	cmd.Flags().StringVar(&at, "at", "", `another instant: "2006-01-02 15:04" in the environment's zone, or with an offset, 2006-01-02T15:04+09:00`)
	return cmd
}

// parseAt reads --at. A time without an offset is meant as the environment's
// clocks show it, like everything in its file.
func parseAt(text string, zone *time.Location, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	if t, ok := window.Instant(text); ok {
		if t.In(zone).Year() > 9999 {
			return t, usage("give an earlier time", "--at %q is after the year 9999 in %s", text, zone)
		}
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05", time.DateOnly} {
		t, err := time.ParseInLocation(layout, text, zone)
		if err != nil {
			continue
		}
		if t.Format(layout) != text {
			return t, usage("give an offset, as in 2026-03-08T02:30:00-05:00",
				"--at %q does not exist in %s: the clocks jump over it", text, zone)
		}
		return t, nil
	}
	return time.Time{}, usage(fmt.Sprintf(`write "%s" (in %s) or %s`, now.In(zone).Format("2006-01-02 15:04"), zone,
		now.In(zone).Format(time.RFC3339)), "--at %q is not a time", text)
}

package plan

import (
	"slices"

	"github.com/layerd/layerd/internal/state"
)

// Fold returns the layer list that a function has once steps are done to list.
// It touches only the slots of the steps' own layers: a version is exchanged
// where it stands, a new one goes to the end, or to the front for a step that
// says First (several of these keep the order of the steps), and a detach
// closes the gap. All other entries and their order stay, since later layers
// win on equal paths below /opt.
//
// The result is a list of its own and never nil: to AWS nil means "leave the
// layers alone" and only an empty list means "none".
func Fold(list []state.LayerVersionARN, steps []Step) []state.LayerVersionARN {
	out := make([]state.LayerVersionARN, 0, len(list)+len(steps))
	out = append(out, list...)
	front := 0
	for _, s := range steps {
		if s.Function == "" {
			continue // a prune changes no function
		}
		at := slices.IndexFunc(out, func(v state.LayerVersionARN) bool { return v.Of(s.LayerARN) })
		switch {
		case s.To == "" && at >= 0:
			out = slices.Delete(out, at, at+1)
			if at < front {
				front-- // a slot put in front by an earlier step is gone again
			}
		case s.To == "":
		case at >= 0:
			out[at] = s.To
		case s.First:
			out = slices.Insert(out, front, s.To)
			front++
		default:
			out = append(out, s.To)
		}
	}
	return out
}

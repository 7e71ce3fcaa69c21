package notify

import (
	"testing"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// What an earlier layerd kept is read whole, and written as it was: the alerts
// that are open, and what waits for a Slack that did not answer.
func TestPastIsReadWhole(t *testing.T) {
	alerts, waiting := 0, 0
	storetest.Reread(t, store.Prefix("alert", storetest.PastRepository), func(v store.Value) ([]byte, error) {
		d, err := decode(v)
		if err != nil {
			return nil, err
		}
		alerts, waiting = alerts+len(d.Alerts), waiting+len(d.Outbox)
		return d.encode()
	})
	if alerts < 5 || waiting < 2 {
		t.Errorf("only %d alerts and %d messages that wait", alerts, waiting)
	}
}

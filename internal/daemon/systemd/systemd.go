// Package systemd notifies the service manager of the daemon's state
// (sd_notify), for units with Type=notify.
//
//	manager := systemd.New()
//	manager.Ready()
//	manager.Status("prod: in sync at 3f2a91c")
//	if every := manager.WatchdogInterval(); every > 0 {
//		// call manager.Watchdog() that often, while rounds make progress
//	}
//	manager.Reloading() // SIGHUP; Ready when it is done, also when refused
//	manager.Stopping()
//
// Without a service manager (NOTIFY_SOCKET is not set) everything is a no-op,
// so that callers need not ask. An error means that the manager was not
// notified; it is worth a line of the log and changes nothing.
package systemd

import (
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/layerd/layerd/internal/foreign"
)

// Manager is the service manager that started this process, if any.
type Manager struct {
	watchdog time.Duration // 0 = it does not watch
}

// New reads what the manager asks for. A watchdog that is meant for another
// process, or cannot be understood, is none.
func New() *Manager {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		watchdog = 0
	}
	return &Manager{watchdog: watchdog}
}

// Ready notifies that the daemon has started, or has read its configuration.
func (*Manager) Ready() error { return notify(daemon.SdNotifyReady) }

// Reloading notifies that the configuration is being read again; Ready must
// follow. The time is how systemd tells the reload it asked for from an older
// one: newer ones wait for ever without it.
func (*Manager) Reloading() error {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	now, err := monotonic()
	if err != nil {
		return fmt.Errorf("read the monotonic clock: %w", err)
	}
	return notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now))
}

// Stopping notifies that the daemon ends on its own account.
func (*Manager) Stopping() error { return notify(daemon.SdNotifyStopping) }

// Status sets the line that systemctl status shows. A line end in it would
// begin another message, so there is none.
func (*Manager) Status(text string) error {
	return notify("STATUS=" + foreign.Clean(text))
}

// Watchdog notifies that the daemon is alive. A daemon that calls it from a
// timer alone has a watchdog that never bites.
func (m *Manager) Watchdog() error {
	if m.watchdog == 0 {
		return nil
	}
	return notify(daemon.SdNotifyWatchdog)
}

// WatchdogInterval is how often Watchdog should be called: half of what the
// manager waits for; 0 when it does not watch.
func (m *Manager) WatchdogInterval() time.Duration { return m.watchdog / 2 }

func notify(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}

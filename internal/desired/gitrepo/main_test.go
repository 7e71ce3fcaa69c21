package gitrepo

import (
	"testing"

	"go.uber.org/goleak"
)

// The calls of this package abandon work at their deadline; it must end too.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

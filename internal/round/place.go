package round

import "github.com/layerd/layerd/internal/desired"

// Place is what observation is shared by.
type Place struct{ account, region, role, externalID string }

// PlaceOf returns the place of an environment.
func PlaceOf(e desired.Environment) Place {
	return Place{e.Account, e.Region, e.Role, e.ExternalID}
}

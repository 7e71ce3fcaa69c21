package contract_test

import (
	"net/http"
	"testing"

	"github.com/layerd/layerd/internal/awssim/contract"
	"github.com/layerd/layerd/internal/awssim/mototest"
)

// The suite is not a portrait of awssim: what can hold elsewhere holds in
// moto, and what does not is listed with the reason.
func TestMoto(t *testing.T) {
	endpoint := mototest.Start(t)
	cfg := config(endpoint, "test", http.DefaultClient)
	contract.Test(t, contract.Env{Config: cfg, Seeds: apiSeeds(t.Context(), cfg), NoCode: true, Role: mototest.Role(t, endpoint), Deviations: motoDeviations()})
}

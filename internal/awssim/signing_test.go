package awssim_test

import (
	"testing"

	"github.com/layerd/layerd/internal/awssim"
)

func TestABrokenSignatureIsRefusedUnderAnyPolicy(t *testing.T) {
	const profile = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/abcdefghij"
	for _, enforce := range []bool{true, false} {
		w := awssim.New(awssim.Options{})
		arn := w.LayerARN("l", w.PutLayerVersion(awssim.LayerVersion{Name: "l", SigningProfile: profile, Tampered: true}))
		w.PutFunction(awssim.Function{Name: "f"})
		w.SetCodeSigning("f", w.PutCodeSigningConfig(awssim.CodeSigningConfig{Publishers: []string{profile}, Enforce: enforce}))
		code(t, setLayers(t, client(w), "f", arn), "InvalidCodeSignatureException")
		w.SetCodeSigning("f", "")
		must(t, setLayers(t, client(w), "f", arn))
	}
}

func TestARuntimeIsBlockedFromOneDayToTheNext(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f", Runtime: "python3.8"})
	w.PutFunction(awssim.Function{Name: "g"})
	c := client(w)
	must(t, setLayers(t, c, "f"))
	w.BlockRuntime("python3.8")
	w.EditFunction("f", func(f *awssim.Function) { f.LastUpdateStatus = "Successful" })
	code(t, setLayers(t, c, "f"), "InvalidParameterValueException")
	must(t, setLayers(t, c, "g"))
	_, err := invoke(t, w, "f")
	must(t, err) // it goes on running
}

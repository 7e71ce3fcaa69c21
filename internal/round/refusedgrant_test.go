package round_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
)

const invalidPrincipal, denied, tooLong = "InvalidParameterValueException", "AccessDeniedException", "PolicyLengthExceededException"

// sidOf returns the Sid of a call that makes a grant or takes one back, and of which
// version; empty for others.
func sidOf(c awssim.Call) (sid string, version int64) {
	switch in := c.Input.(type) {
	case *lambda.AddLayerVersionPermissionInput:
		return aws.ToString(in.StatementId), aws.ToInt64(in.VersionNumber)
	case *lambda.RemoveLayerVersionPermissionInput:
		return aws.ToString(in.StatementId), aws.ToInt64(in.VersionNumber)
	}
	return "", 0
}

// A grant that AWS refuses for a reason of its own, such as an account that is closed or
// a right that is missing, is tried less and less often: each try is a record for good,
// and makes all be read again. What would be refused on every version alike is tried on
// one; what is of one version, such as a policy that is full, is of that one. What is not
// refused goes on meanwhile, and once AWS takes it everything comes.
func TestARefusedGrantIsTriedLessAndLess(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	const mostTries = 12 // in six hours: after 1, 2, 4 … 60 minutes, and then once an hour
	for name, tt := range map[string]struct {
		with     []string
		taking   bool // it is taken back, and not made
		sid      string
		versions []int64 // on which it is refused; nil = on all
		code     string
		most     int
		want     map[int64]string // meanwhile
	}{
		"an account that is closed":         {[]string{partner}, false, "layerd-" + partner, nil, invalidPrincipal, mostTries, shared("")},
		"one of two":                        {[]string{company, partner}, false, "layerd-" + partner, nil, invalidPrincipal, mostTries, shared("layerd-o-abc123def4")},
		"the other one of two":              {[]string{company, partner}, false, "layerd-" + company, nil, invalidPrincipal, mostTries, shared("layerd-210987654321")},
		"a right that is missing":           {[]string{partner}, false, "layerd-" + partner, nil, denied, mostTries, shared("")},
		"a right that is missing for one":   {[]string{company, partner}, false, "layerd-" + partner, nil, denied, mostTries, shared("layerd-o-abc123def4")},
		"a right that is missing for both":  {[]string{company, partner}, false, "", nil, denied, 2 * mostTries, shared("")},
		"the right to take back":            {[]string{partner}, true, "layerd-" + partner, nil, denied, mostTries, shared("layerd-210987654321")},
		"the right to take back one of two": {[]string{company, partner}, true, "layerd-" + company, nil, denied, mostTries, shared("layerd-o-abc123def4")},
		"a policy that is full":             {[]string{partner}, false, "layerd-" + partner, nil, tooLong, 5 * mostTries, shared("")},
		"the policy of the first version":   {[]string{partner}, false, "layerd-" + partner, []int64{1}, tooLong, mostTries, but(shared("layerd-210987654321"), 1, "")},
		"the policy of one in between":      {[]string{partner}, false, "layerd-" + partner, []int64{3}, tooLong, mostTries, but(shared("layerd-210987654321"), 3, "")},
		"an account on the last version":    {[]string{partner}, false, "layerd-" + partner, []int64{5}, invalidPrincipal, mostTries, but(shared("layerd-210987654321"), 5, "")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := layerShared(t, tt.with...)
				f.cache = round.NewCache()
				if tt.taking {
					f.apply(t.Context())
					f.sharesWith()
				}
				tries := 0
				f.world.OnCall(func(c awssim.Call) awssim.Fault {
					sid, n := sidOf(c)
					if sid == "" || tt.sid != "" && sid != tt.sid || tt.versions != nil && !slices.Contains(tt.versions, n) {
						return awssim.Fault{}
					}
					tries++
					return awssim.Fault{Before: &awssim.Failure{Status: 400, Code: tt.code, Message: "no"}}
				})
				reads := f.policyCalls(func() { f.apply(t.Context()) })["GetLayerVersionPolicy"]
				time.Sleep(time.Minute)
				for range 2 * 60 {
					var r round.Result
					reads += f.policyCalls(func() { r = f.apply(t.Context()) })["GetLayerVersionPolicy"]
					if n := statuses(r); n[plan.StatusFailed] == 0 || r.Plans[0].Regions[0].InSync {
						t.Fatalf("what is refused is not told: %v", n)
					}
					time.Sleep(3 * time.Minute)
				}
				if most := 8 * (tries + 2); reads > most { // five at first, and after each try; some for taking back
					t.Errorf("policies were read %d times for %d tries, want at most %d", reads, tries, most)
				}
				if tries < 5 || tries > tt.most {
					t.Errorf("refused %d times in six hours, want at most %d", tries, tt.most)
				}
				f.check(t, tt.want)
				f.world.OnCall(nil)
				time.Sleep(time.Hour)
				f.apply(t.Context())
				sids := "layerd-" + partner
				switch {
				case tt.taking:
					sids = ""
				case len(tt.with) == 2:
					sids += " layerd-" + company
				}
				f.check(t, shared(sids))
			})
		})
	}
}

// but is grants with others on one version.
func but(all map[int64]string, n int64, sids string) map[int64]string {
	if all[n] = sids; sids == "" {
		delete(all, n)
	}
	return all
}

// A new version is not tried for one whom AWS has refused on the others a moment ago, and
// is shared with everybody else at once.
func TestANewVersionWaitsWithTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := layerShared(t, company, partner)
		f.cache = round.NewCache()
		var tries []int64
		f.world.OnCall(func(c awssim.Call) awssim.Fault {
			if sid, n := sidOf(c); sid == "layerd-"+partner {
				tries = append(tries, n)
				return awssim.Fault{Before: &awssim.Failure{Status: 400, Code: invalidPrincipal, Message: "The provided principal was invalid."}}
			}
			return awssim.Fault{}
		})
		f.apply(t.Context())
		f.world.PutLayerVersion(awssim.LayerVersion{Name: "common", Description: "v1.6.0"})
		f.apply(t.Context())
		if !slices.Equal(tries, []int64{1}) {
			t.Errorf("tried on %v", tries)
		}
		want := shared("layerd-" + company)
		want[6] = "layerd-" + company
		f.check(t, want)
		f.world.OnCall(nil)
		time.Sleep(time.Minute)
		f.apply(t.Context())
		want = shared("layerd-" + partner + " layerd-" + company)
		want[6] = "layerd-" + partner + " layerd-" + company
		f.check(t, want)
	})
}

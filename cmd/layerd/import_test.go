package main

import (
	"fmt"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/layerd/layerd/internal/awssim"
)

// seedFleet adds a fleet of 600 functions in two Regions that nobody has made for layerd:
// of three environments, with mixed versions, layers of others, images and replicas.
func seedFleet(ts *testscript.TestScript, _ bool, _ []string) {
	w := world(ts)
	w.PutRole(awssim.Role{ARN: "arn:aws:iam::" + simAccount + ":role/layerd"})
	const vendor = "464622532012"
	for r, region := range []string{testRegion, "us-east-1"} {
		own := func(name string, n int64) string {
			return fmt.Sprintf("arn:aws:lambda:%s:%s:layer:%s:%d", region, simAccount, name, n)
		}
		datadog := fmt.Sprintf("arn:aws:lambda:%s:%s:layer:Datadog-Python312:98", region, vendor)
		w.PutLayerVersion(awssim.LayerVersion{Account: vendor, Region: region, Name: "Datadog-Python312", Number: 98, Grants: []awssim.Grant{{Principal: "*"}}})
		for _, env := range []string{"prod", "staging", "dev"} {
			for n := range 4 {
				created := time.Now().AddDate(0, 0, -100+n)
				w.PutLayerVersion(awssim.LayerVersion{Region: region, Name: "core-" + env, Description: fmt.Sprintf("core v1.%d.0", n), Created: created, Runtimes: []string{"python3.12"}})
				w.PutLayerVersion(awssim.LayerVersion{Region: region, Name: "deps-" + env, Description: "社内ライブラリ", Created: created})
			}
			for i := range 100 {
				f := awssim.Function{Region: region, Name: fmt.Sprintf("shop-%s%d-%s", []string{"order-", "user-", "mail-"}[i%3], i, env), Runtime: "python3.12"}
				switch {
				case i%10 == 9:
					f.PackageType, f.Runtime, f.ImageURI = "Image", "", "123456789012.dkr.ecr."+region+".amazonaws.com/x:1"
				case i%10 == 8: // has none
				case i%3 == 0:
					f.Layers = []string{datadog, own("core-"+env, int64(2+i%7/6+r)), own("deps-"+env, 3)}
				default:
					f.Layers = []string{own("core-"+env, int64(2+r))}
				}
				w.PutFunction(f)
			}
		}
		// Names that CloudFormation has made: it shortens what is too long, and another
		// stack's may look like one of these.
		for name, tags := range map[string][2]string{
			"a-payments-platform-with-a-InvoiceRenderer-8RfQ2hGhT0bX-staging": {"a-payments-platform-with-a-long-name", "InvoiceRendererForAllTenants"},
			"other-InvoiceRendererForAllTenants-7aBcD-staging":                {"other", "Else"},
			"by-hand-InvoiceRendererForAllTenants-7aBcD-staging":              {},
		} {
			f := awssim.Function{Region: region, Name: name, Layers: []string{own("core-staging", 3)}}
			if tags[0] != "" {
				f.Tags = map[string]string{"aws:cloudformation:stack-name": tags[0], "aws:cloudformation:logical-id": tags[1]}
			}
			w.PutFunction(f)
		}
		w.PutLayerVersion(awssim.LayerVersion{Region: region, Name: "tools"})
		for _, name := range []string{"batch", "cron-prod", "report-dev", "edge-dev"} {
			f := awssim.Function{Region: region, Name: name, Layers: []string{own("tools", 1)}, Tags: map[string]string{"aws:cloudformation:stack-name": "jobs"}}
			if name == "edge-dev" {
				f.MasterARN = "arn:aws:lambda:us-east-1:" + simAccount + ":function:edge-dev:1"
			}
			w.PutFunction(f)
		}
	}
}

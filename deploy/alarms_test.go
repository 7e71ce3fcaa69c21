package deploy_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

const alarmsTemplate = "cloudwatch/alarms.yaml"

func TestAlarmsTemplateLints(t *testing.T) {
	switch {
	case testing.Short():
		t.Skip("starts Python")
	case !nightly.On() && unchanged(t, "cloudwatch"):
		t.Skip("LAYERD_NIGHTLY=1 runs it: it takes some seconds, and the template has not changed")
	}
	lint := nightly.Program(t, "cfn-lint", "pip install cfn-lint")
	if out, err := exec.CommandContext(t.Context(), lint, alarmsTemplate).CombinedOutput(); err != nil {
		t.Errorf("cfn-lint: %v\n%s", err, out)
	}
}

// guideAlarms are the alarms of the team's guide, which nobody ever heard.
const guideAlarms = `
Parameters:
  Environment: {Type: String, Default: prod}
  SNSTopic: {Type: String, Default: "arn:aws:sns:ap-northeast-1:123456789012:ops"}
Resources:
  LayerErrorAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: !Sub "makoto-layer-errors-${Environment}"
      MetricName: Errors
      Namespace: AWS/Lambda
      Statistic: Sum
      Period: 300
      EvaluationPeriods: 2
      Threshold: 10
      ComparisonOperator: GreaterThanThreshold
      AlarmActions:
        - !Ref SNSTopic
      Dimensions:
        - Name: FunctionName
          Value: !Sub "makoto-*-${Environment}"
  LayerSizeAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: !Sub "makoto-layer-size-${Environment}"
      MetricName: LayerSize
      Namespace: Custom/Lambda
      Statistic: Maximum
      Period: 86400
      EvaluationPeriods: 1
      Threshold: 209715200
      ComparisonOperator: GreaterThanThreshold
      AlarmActions:
        - !Ref SNSTopic
`

// alarmsOf makes alarms of the simulator of those in a template.
func alarmsOf(t *testing.T, file string, parameters map[string]any) (list []awssim.Alarm) {
	t.Helper()
	c := readTemplate(t, file, parameters)
	for name := range c.root["Resources"].(map[string]any) {
		p := c.properties(name)
		number := func(key string) float64 {
			switch v := p[key].(type) {
			case int:
				return float64(v)
			case float64:
				return v
			}
			t.Fatalf("%s of %s is %v", key, name, p[key])
			return 0
		}
		rule := &awssim.AlarmRule{
			Namespace: at(t, p, "Namespace").(string), Metric: at(t, p, "MetricName").(string), Statistic: at(t, p, "Statistic").(string), Dimensions: map[string]string{},
			Period: time.Duration(number("Period")) * time.Second, Evaluated: int(number("EvaluationPeriods")), Threshold: number("Threshold"),
			Comparison: at(t, p, "ComparisonOperator").(string), Missing: "missing",
		}
		if p["TreatMissingData"] != nil {
			rule.Missing = p["TreatMissingData"].(string)
		}
		if p["DatapointsToAlarm"] != nil {
			rule.Breaching = int(number("DatapointsToAlarm"))
		}
		if dims, ok := p["Dimensions"].([]any); ok {
			for _, d := range dims {
				rule.Dimensions[at(t, d, "Name").(string)] = at(t, d, "Value").(string)
			}
		}
		list = append(list, awssim.Alarm{Name: at(t, p, "AlarmName").(string), Rule: rule})
	}
	return list
}

// team is a daemon over a simulated account, with alarms on it.
type team struct {
	t     *testing.T
	world *awssim.World
	cfg   aws.Config
	store store.Store
	stop  func()

	mu    sync.Mutex // guards files and rev, which the daemon pulls
	files fstest.MapFS
	rev   int
}

func newTeam(t *testing.T) *team {
	w := awssim.New(awssim.Options{Account: startAccount, Region: startRegion, MetricLag: time.Minute})
	c := &team{t: t, world: w, store: store.NewMemory(), files: fstest.MapFS{
		"layerd.yaml":              {Data: []byte("timezone: UTC\ndefaults:\n  region: ap-northeast-1\n  layer_name: \"makoto-${NAME}-${ENVIRONMENT}\"\n  layers: {common: {functions: [\"makoto-*\"]}}\n")},
		"layers/common/layer.yaml": {Data: []byte("name: common\n")},
	}}
	c.cfg = aws.Config{Region: startRegion, HTTPClient: &http.Client{Transport: w.Transport()}, Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", "")}
	sizes := []int64{0, 100 << 20, 240 << 20, 0}
	for n := 1; n <= 3; n++ {
		w.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-prod", Description: fmt.Sprintf("v1.%d.0", n)})
		if sizes[n] > 0 { // of 1.3.0 nobody knows it
			(&inspect.Memory{Store: c.store}).Put(t.Context(), state.LayerVersionARN(w.LayerARN("makoto-common-prod", int64(n))), inspect.Contents{Unzipped: sizes[n]})
		}
	}
	for _, name := range []string{"makoto-api-prod", "makoto-web-prod"} {
		w.PutFunction(awssim.Function{Name: name, Layers: []string{w.LayerARN("makoto-common-prod", 1)}})
	}
	c.want("1.1.0")
	c.start()
	return c
}

// want is a commit that wants another version.
func (c *team) want(version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files = maps.Clone(c.files)
	c.files["environments/prod.yaml"] = &fstest.MapFile{Data: fmt.Appendf(nil, "account: %q\nlayers: {common: %s}\n", startAccount, version)}
	c.rev++
}

// Pull makes it the branch that the daemon follows.
func (c *team) Pull(_ context.Context, last string) (gitrepo.Commit, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hash := fmt.Sprintf("%040d", c.rev)
	return gitrepo.Commit{Hash: hash, Author: "sato", When: time.Now(), Files: c.files}, hash != last, nil
}

func (c *team) start() {
	ctx, cancel := context.WithCancel(c.t.Context())
	d, err := daemon.New(daemon.Options{Repository: "acme", Source: c, Store: c.store, Connect: daemon.Connector(c.cfg, daemon.AWSOptions{}), Name: "one", CloudWatch: true})
	if err != nil {
		c.t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	c.stop = func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Error(err)
		}
	}
}

// minutes lets time pass in which both functions are called each minute.
func (c *team) minutes(n, errors int) {
	for range n {
		for _, name := range []string{"makoto-api-prod", "makoto-web-prod"} {
			c.world.PutTraffic(awssim.Traffic{Function: name, Invocations: 20, Errors: errors})
		}
		time.Sleep(time.Minute)
	}
}

// rings returns the alarms that are not OK, and their states.
func (c *team) rings() map[string]string {
	c.t.Helper()
	out, err := cloudwatch.NewFromConfig(c.cfg).DescribeAlarms(c.t.Context(), &cloudwatch.DescribeAlarmsInput{})
	if err != nil {
		c.t.Fatal(err)
	}
	states := map[string]string{}
	for _, a := range out.MetricAlarms {
		if a.StateValue != "OK" {
			states[*a.AlarmName] = string(a.StateValue)
		}
	}
	return states
}

func (c *team) expect(when string, want map[string]string) {
	c.t.Helper()
	got := c.rings()
	maps.DeleteFunc(got, func(name, _ string) bool { return strings.HasPrefix(name, "makoto-layer-") })
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// TestAlarmsFire plays the template's alarms over what a daemon really puts, and the
// guide's alarms beside them, which stay silent whatever happens.
func TestAlarmsFire(t *testing.T) {
	guide := filepath.Join(t.TempDir(), "alarms.yml")
	if err := os.WriteFile(guide, []byte(guideAlarms), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		const errors, size, silent = "layerd-errors-prod-common", "layerd-size-prod-common", "layerd-silent-prod-common"
		c := newTeam(t)
		for _, a := range append(alarmsOf(t, alarmsTemplate, map[string]any{"Environment": "prod", "Layer": "common"}), alarmsOf(t, guide, nil)...) {
			c.world.PutAlarm(a)
		}
		ok := map[string]string{}
		c.minutes(90, 0)
		c.expect("all is well", ok)

		c.minutes(20, 2) // 2 functions, 5 minutes: 20
		c.expect("functions fail", map[string]string{errors: "ALARM"})
		c.minutes(25, 1) // 10 are not more than 10
		c.expect("they fail less", ok)
		c.minutes(20, 5)
		c.expect("and more again", map[string]string{errors: "ALARM"})
		time.Sleep(25 * time.Minute)
		c.expect("nobody calls them", ok)

		c.want("1.2.0")
		c.minutes(130, 0)
		c.expect("a version of 240 MiB", map[string]string{size: "ALARM"})
		c.want("1.3.0")
		c.minutes(250, 0)
		c.expect("a version of which nobody knows the size", map[string]string{size: "INSUFFICIENT_DATA"})
		c.want("1.1.0")
		c.minutes(130, 0)
		c.expect("back", ok)

		c.stop()
		c.minutes(12, 5)
		c.expect("layerd has just ended", ok)
		c.minutes(20, 5)
		c.expect("layerd is gone", map[string]string{silent: "ALARM"})
		c.start()
		c.minutes(20, 0)
		c.expect("and back", ok)

		c.world.OnCall(func(call awssim.Call) awssim.Fault {
			if call.Operation == "ListFunctions" {
				return awssim.Denied(call)
			}
			return awssim.Fault{}
		})
		c.minutes(35, 0)
		c.expect("layerd sees nothing", map[string]string{silent: "ALARM"})
		c.world.OnCall(nil)
		c.minutes(20, 0)

		got := c.rings()
		want := map[string]string{"makoto-layer-errors-prod": "INSUFFICIENT_DATA", "makoto-layer-size-prod": "INSUFFICIENT_DATA"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the guide's alarms (-want +got):\n%s", diff)
		}
		c.stop()
	})
}

package demo

import (
	"fmt"
	"strings"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/words"
)

// try is something that can be done while the daemon runs: what it shows, and
// the commands, a line each.
type try struct {
	title    string
	says     string
	commands []string
}

// setup returns the commands that the others build on.
func (s *screen) setup(at place) []string {
	list := []string{
		"export AWS_ENDPOINT_URL=" + at.aws + " AWS_PAGER=",
		// Version 1 of the AWS CLI knows only the second name, the SDKs the first.
		"export AWS_REGION=" + Region + " AWS_DEFAULT_REGION=" + Region,
		"export AWS_ACCESS_KEY_ID=" + keyID + " AWS_SECRET_ACCESS_KEY=" + keySecret,
		"export REPO=" + at.git,
		"export STORE=" + words.ShellQuote(at.store.String()),
	}
	if s.Proxied {
		list = append(list, "export no_proxy=127.0.0.1")
	}
	if s.Program != "" {
		list = append(list, "layerd() { "+words.ShellQuote(s.Program)+` "$@"; }`)
	}
	return list
}

// tries returns what is offered. Every command must work as it stands, in this
// order, after setup: a test takes them from the screen and runs them.
func tries(at place, world *awssim.World) []try {
	return []try{
		{"Release makoto-common 1.4.2", "layerd build has made its archive, which is in S3; layerd publishes it, once in each environment. dev follows within seconds. staging and prod wait for an approval, the command that gives it appears here, and then change in waves.", []string{
			"git clone -c user.name=you -c user.email=you@example.com $REPO layers",
			"cd layers",
			"sed -i.bak 's/common: 1.4.1/common: 1.4.2/' environments/*.yaml",
			"git commit -am 'Raise makoto-common to 1.4.2'",
			"git push",
		}},
		{"Open prod's window, once its plan is approved", "", []string{
			"sed -i.bak 's/Saturday 02:00-06:00/daily 00:00-24:00/' environments/prod.yaml",
			"git commit -am 'Let prod change at any hour'",
			"git push",
		}},
		{"Change a function by hand, and watch it heal", "", []string{
			"aws lambda update-function-configuration --query Layers \\",
			"  --function-name makoto-health-check-dev --layers \\",
			"  " + world.LayerARN("makoto-common-dev", number("dev", "1.4.0")),
		}},
		{"Break every function of staging, once 1.4.2 is on all of them", "Two functions get 1.5.0, the smoke test fails, both go back, and 1.5.0 is in quarantine. No approval, so that it happens at once.", []string{
			"sed -i.bak -e 's/common: 1.4.2/common: 1.5.0/' \\",
			"  -e 's/approval_required: true/approval_required: false/' \\",
			"  environments/staging.yaml",
			"git commit -am 'Raise makoto-common to 1.5.0 in staging'",
			"git push",
		}},
		{"Go on to a version that works", "", []string{
			"sed -i.bak 's/common: 1.5.0/common: 1.5.1/' environments/staging.yaml",
			"git commit -am 'Raise makoto-common to 1.5.1 in staging'",
			"git push",
		}},
		{"Ask", "", []string{
			"layerd why makoto-health-check-dev --repo $REPO --store $STORE",
			"layerd plan --repo $REPO --store $STORE",
			"layerd history --repo $REPO --store $STORE",
			"curl " + at.health + "/readyz",
		}},
	}
}

// begin shows what runs where and what can be done with it.
func (s *screen) begin(at place, world *awssim.World) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", s.style(bold, "layerd demo: the daemon, a simulated AWS and a Git server, on this machine"))
	for _, line := range [][3]string{
		{"AWS", at.aws, fmt.Sprintf("%d Lambda functions", len(world.Functions()))},
		{"Git", at.git, "the layers they should have"},
		{"Daemon", at.health, "/healthz and /readyz"},
	} {
		fmt.Fprintf(&b, "  %-7s %-*s  %s\n", line[0], len(at.git), line[1], s.style(faint, line[2]))
	}
	s.offer(&b, try{"In a second terminal", "", s.setup(at)})
	for _, t := range tries(at, world) {
		s.offer(&b, t)
	}
	fmt.Fprintf(&b, "\n%s\n\n", s.style(bold, "What Slack would be told stands below. Ctrl-C ends it and leaves nothing behind."))
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprint(s.Out, b.String())
}

func (s *screen) offer(b *strings.Builder, t try) {
	fmt.Fprintf(b, "\n%s\n", s.style(bold, t.title))
	if t.says != "" {
		for _, line := range s.wrapped(t.says) {
			fmt.Fprintf(b, "%s\n", line)
		}
	}
	for _, c := range t.commands {
		fmt.Fprintf(b, "  %s\n", s.style(cyan, c))
	}
}

// end is the last word.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.Out, "The daemon has stopped.")
}

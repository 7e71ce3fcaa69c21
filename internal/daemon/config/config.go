package config

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/layerd/layerd/internal/strictyaml"
)

// Config is the daemon's configuration file. Each field says what it is, its
// unit, what stands for it when the file says nothing, and what goes wrong with
// a bad choice; an editor shows the same text (Schema).
//
// A SECRET is never written into the file: the file says where it is. See
// Secret for the five ways.
type Config struct {
	// Time between two rounds of one account: 10s to 1h, 60s by default. A
	// change by hand is seen, and a merge is begun, at most this much later. A
	// round that finds nothing to do costs one call per 50 functions, so a short
	// interval in a large account spends quota that others may need. A window
	// that opens earlier than the next round has a round of its own.
	Interval Duration `json:"interval"`
	// The desired-state repository. Required.
	Git Git `json:"git" jsonschema:"required"`
	// Where the past, approvals and the lease are kept: sqlite:PATH,
	// dynamodb:TABLE or memory:. By default a file of SQLite in the unit's
	// StateDirectory, else under $XDG_STATE_HOME. Several daemons, and a daemon
	// without a disk that stays (ECS), need dynamodb. memory: forgets at every
	// restart what was approved and what was applied.
	Store string `json:"store" jsonschema:"format=store"`
	// How fast AWS is asked.
	AWS AWS `json:"aws"`
	// The address that health checks, people and machines ask.
	HTTP HTTP `json:"http"`
	// Who is told about drift, held work and outcomes; nobody by default, or
	// with an empty list, and then only the log and the command line say what happens.
	Notify []Notify `json:"notify"`
	// What is logged to standard error: debug, info, warn or error; info by
	// default, which is a line per round and per change.
	LogLevel string `json:"log_level" jsonschema:"enum=debug,enum=info,enum=warn,enum=error"`
}

// Git says which branch is followed and how it is reached.
type Git struct {
	// https://…, ssh://…, user@host:path, or the path of a repository on this
	// machine. Required. It holds no password and no token, which would appear
	// in logs and process lists: they belong into auth.
	URL string `json:"url" jsonschema:"required"`
	// The branch, main by default. What is merged into it is what layerd does.
	Branch string `json:"branch"`
	// The folder of the repository that holds environments/, slash-separated;
	// its root by default.
	Path string `json:"path"`
	// Time between two looks at the branch: 10s to 1h, 60s by default. When the
	// branch could not be read for 15 minutes no change begins, so more than a
	// few minutes leaves little room for a server that is away, and from 15m on
	// nothing begins for a part of the time.
	Interval Duration `json:"interval"`
	// How long one look may take: 1s to 10m, 60s by default. Too short for a
	// large repository over a slow line means that it is never read.
	Timeout Duration `json:"timeout"`
	// How layerd proves who it is; a public repository needs nothing.
	Auth GitAuth `json:"auth"`
	// Whose signatures a commit must bear. Not supported yet.
	Verify any `json:"verify"`
	// SECRET with which the server signs its webhooks. Not supported yet: the
	// branch is looked at every interval.
	WebhookSecret Secret `json:"webhook_secret"`
}

// GitAuth are the credentials for Git. What the scheme of the URL does not use
// is a warning.
type GitAuth struct {
	// SECRET sent as the password over https: a deploy token, or a personal one.
	// It is read before each use, so that it may be replaced at any time. It
	// needs to read the repository and nothing else.
	Token Secret `json:"token"`
	// The user that goes with token; x-access-token by default, which GitHub and
	// GitLab take.
	User string `json:"user"`
	// SECRET with the private key for ssh, in PEM or OpenSSH form. A file is read
	// before each use, the other forms when the configuration is loaded. Without
	// it the agent at SSH_AUTH_SOCK is asked.
	SSHKey Secret `json:"ssh_key"`
	// SECRET that unlocks ssh_key.
	SSHPassphrase Secret `json:"ssh_passphrase"`
	// A file in OpenSSH's known_hosts form; those of the user and of the machine
	// by default. There is no way to accept any host.
	KnownHosts string `json:"known_hosts" jsonschema:"format=path"`
}

// AWS says how fast the control plane of Lambda is asked, per account and
// Region, retries included. Credentials, Region and endpoints come from the
// SDK's usual chain.
type AWS struct {
	// Calls a second, above 0 and at most 15; 5 by default. Lambda allows an
	// account and Region 15 for all its deployments together: at 15 layerd
	// starves the others, and much below 1 a rollout does not fit its window.
	RequestsPerSecond float64 `json:"requests_per_second" jsonschema:"minimum=0.01,maximum=15"`
	// Calls of GetFunction a second, above 0 and at most 100; 60 by default. It
	// has a quota of its own, 100, which functions with an alias are read from.
	GetFunctionPerSecond float64 `json:"get_function_per_second" jsonschema:"minimum=0.01,maximum=100"`
}

// HTTP is the address of /healthz, /readyz and of what comes later.
type HTTP struct {
	// HOST:PORT, 127.0.0.1:8080 by default. On another address than loopback
	// whoever reaches it can read what runs where; nobody can change anything.
	Listen string `json:"listen" jsonschema:"format=listen"`
	// Who may approve, pause and roll back over HTTP. Not supported yet: the
	// command line does it.
	Tokens any `json:"tokens"`
}

// Notify is one place that is told. It has exactly one key.
type Notify struct {
	// A channel of Slack.
	Slack *Slack `json:"slack"`
	// Any HTTP address. Not supported yet.
	Webhook any `json:"webhook"`
	// A topic of SNS. Not supported yet.
	SNS any `json:"sns"`
}

// Slack is a channel of Slack.
type Slack struct {
	// SECRET with the address of an incoming webhook, which says the channel
	// too. Whoever knows the address can write to the channel. Required.
	WebhookURL Secret `json:"webhook_url"`
	// SECRET of a bot, with which messages can be updated. Not supported yet.
	Token Secret `json:"token"`
	// The channel to which the bot writes. Not supported yet.
	Channel string `json:"channel"`
	// How long after it was told something that is still so is told again: 10m
	// to 30d, 24h by default. Short ones teach people to look away.
	RepeatInterval Duration `json:"repeat_interval"`
}

// Duration is a length of time, written 90s, 30m, 24h or 7d; a day is 24
// hours. As a value it is used like a time.Duration.
type Duration struct{ time.Duration }

// UnmarshalJSON reads the form of the file.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	length, err := strictyaml.ParseDuration(text)
	d.Duration = length
	return err
}

// Level is log_level as slog counts it.
func (c Config) Level() slog.Level {
	var level slog.Level
	// Load admits only what slog reads; the zero Config is at info, as is slog's
	// zero.
	_ = level.UnmarshalText([]byte(c.LogLevel))
	return level
}

// withDefaults fills in what the file did not say. It is the only place with
// defaults, but for the store, whose place depends on the machine.
func (c Config) withDefaults() Config {
	duration := func(d *Duration, otherwise time.Duration) {
		if d.Duration == 0 {
			d.Duration = otherwise
		}
	}
	text := func(s *string, otherwise string) {
		if *s == "" {
			*s = otherwise
		}
	}
	rate := func(r *float64, otherwise float64) {
		if *r == 0 {
			*r = otherwise
		}
	}
	duration(&c.Interval, time.Minute)
	text(&c.Git.Branch, "main")
	text(&c.Git.Path, ".")
	duration(&c.Git.Interval, time.Minute)
	duration(&c.Git.Timeout, time.Minute)
	rate(&c.AWS.RequestsPerSecond, 5)
	rate(&c.AWS.GetFunctionPerSecond, 60)
	text(&c.HTTP.Listen, "127.0.0.1:8080")
	text(&c.LogLevel, "info")
	for _, n := range c.Notify {
		if n.Slack != nil {
			duration(&n.Slack.RepeatInterval, 24*time.Hour)
		}
	}
	return c
}

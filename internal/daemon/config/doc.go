// Package config reads the daemon's configuration: one strict YAML file, or a
// variable of the environment where there are no files.
//
//	name, data, err := config.Read("/etc/layerd/layerd.yaml", os.LookupEnv)
//	cfg, problems := config.Load(name, data)
//	config.Format(os.Stderr, name, data, problems, strictyaml.Look{Color: color})
//	if strictyaml.Errors(problems) {
//		return // exit 78, or, at SIGHUP, the old configuration stays
//	}
//	secrets := &config.Secrets{SecretsManager: …, SSM: …}
//	options, err := cfg.Git.Options(ctx, secrets)
//
// Config documents each key. Secrets are not in the file: it names where they
// are (Secret), they are read when they are used (Secrets), and what is kept,
// printed or logged is the place.
//
// Promised: all problems come at once, with file, line, column, a stable code
// and a suggestion. A key that nothing acts on yet is refused, never ignored.
// Text that may be a secret, be it in the wrong place or under a misspelt key, is
// in no problem, no excerpt and no error. Load is pure.
//
// Not promised: that Git, a secret or a store is there. Whoever starts a daemon
// reads each secret once before (Config.Secrets), and refuses to start without.
//
// # Codes of problems
//
// Those of reading YAML (package desired lists them), and:
//
//	always_holds       (warning) a value with which something waits for good
//	auth_not_used      (warning) credentials that the scheme of git.url does not use
//	bad_address        http.listen is not HOST:PORT
//	bad_branch         not the name of a branch
//	bad_path           not a path that can be read here
//	bad_queue          aws.events.queue is not the URL of a standard queue of SQS
//	bad_secret         not exactly one of the places a secret can be at
//	bad_store          not sqlite:PATH, dynamodb:TABLE or memory:
//	bad_url            not an address that Git can be read from
//	check_off          (warning) a value with which a check never says no
//	missing_key        a mapping without a key it needs
//	not_supported_yet  a key that nothing acts on yet
//	one_target         an element of notify with no key, or with several
//	out_of_range       a length of time or a rate outside its bounds
//	secret_literal     a secret itself, where the place of one belongs
package config

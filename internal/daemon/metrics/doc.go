// Package metrics is what a daemon shows to Prometheus: what was counted since the
// process began, and gauges of how things are when they are asked for.
//
//	m := metrics.New("v1.2.3")      // one for each process: daemons come and go
//	m.Watch(d.Status)               // the one whose state is shown
//	mux.Handle("GET /metrics", m.Handler())
//	cfg = m.CountCalls(cfg)         // calls to AWS
//
// # What is promised
//
// Names begin with layerd_ and are for good: dashboards and alerts are built on them.
// Labels have few values, and none is an ARN or a commit. What is about an environment
// comes from the daemon that has its lease, so that a sum over several daemons is
// right; an environment that has no file in Git any more has no series any more,
// counters included. A gauge with the label by, kind or code has no series where it
// would be 0.
//
// Nothing here is asked by a decision: this package is told, and asks Status, which
// asks nobody.
package metrics

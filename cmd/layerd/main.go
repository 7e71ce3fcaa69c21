package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
	_ "time/tzdata" // so that a container without a zone database knows Asia/Tokyo

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/present"
)

func main() { os.Exit(run()) }

// run is main without the end of the process.
func run() int {
	// A reader that went away (layerd history | head) is no reason to die in
	// the middle of an apply: writing fails with EPIPE instead, which is quiet.
	signal.Ignore(syscall.SIGPIPE)
	cobra.EnableCommandSorting = false // the help has an order of its own
	a := &app{out: os.Stdout, err: os.Stderr, env: os.Getenv, environ: os.Environ(), now: time.Now, end: os.Exit}
	ctx, stop := a.interruptible(context.Background())
	defer stop()
	return a.execute(ctx, os.Args[1:])
}

// What is told to stop and does not is ended all the same: after the 25 seconds
// that are promised where a change may be in hand, and soon where there is none.
const (
	graceInHand = 25 * time.Second
	graceElse   = 5 * time.Second
)

// interruptible returns a context that the first SIGINT or SIGTERM cancels: the
// function in hand is finished and nothing new is begun. After that the
// signals have their usual meaning again, so that a second Ctrl-C ends the
// process at once, and the process ends after a grace whatever still runs.
func (a *app) interruptible(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	var net atomic.Pointer[time.Timer]
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			if log := a.service.Load(); log != nil {
				log.Info("told to stop: finishing what is in hand")
			} else {
				a.say("interrupted: finishing what is in hand; once more to stop at once")
			}
			cancel()
			net.Store(a.endAnyway())
		case <-ctx.Done():
			signal.Stop(signals)
		}
	}()
	return ctx, func() {
		cancel()
		if t := net.Load(); t != nil {
			t.Stop()
		}
	}
}

// endAnyway ends the process after the grace of what runs. What hangs then may
// be a computation, which no context reaches.
func (a *app) endAnyway() *time.Timer {
	grace := a.grace()
	return time.AfterFunc(grace, func() {
		if log := a.service.Load(); log != nil {
			log.Error("stopped although not everything has ended", "after", grace.String())
		} else {
			a.say("stopped although not everything had ended %s after the signal", grace)
		}
		a.end(exitRetry)
	})
}

// execute runs one command line and returns the exit code. It is the only place
// where an error becomes words and a number.
func (a *app) execute(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	// What a command returns is sorted already; all else is from cobra, about
	// the command line.
	if _, ok := errors.AsType[*ranError](err); !ok {
		err = sayUsage(cmd, err)
	}
	a.explain(err)
	return codeOf(err)
}

// ranError marks an error that comes from a command and not from the parsing
// of its command line.
type ranError struct{ err error }

func (e *ranError) Error() string { return e.err.Error() }
func (e *ranError) Unwrap() error { return e.err }

// explain prints an error once, with what to do about it.
func (a *app) explain(err error) {
	if errors.Is(err, syscall.EPIPE) {
		return // whoever read our output has left
	}
	e, ok := errors.AsType[*exitError](err)
	if ok && e.err == nil {
		return
	}
	if !ok && interrupted(err) {
		err = errInterrupted // whatever was being read then
	}
	if ok && len(e.list) > 0 && err == error(e) {
		a.say("%v:", e.err)
		for _, line := range e.list {
			a.sayRaw(foreign.Linef("  %s\n", line))
		}
	} else {
		a.say("%v", err)
	}
	if ok && e.hint != "" {
		a.sayRaw(foreign.Linef("  %s\n", e.hint))
	}
	if git, is := errors.AsType[*gitrepo.Error](err); ok && e.repo || is && git.Op != "" {
		a.sayRaw(a.assumedLine())
	}
}

// say writes one line for the person at the terminal, never to standard output.
// Errors have words of AWS, Git and people in them.
func (a *app) say(format string, args ...any) {
	a.sayRaw(foreign.Linef("layerd: "+format+"\n", args...))
}

// sayRaw writes text that is laid out and cleaned already to standard error.
func (a *app) sayRaw(text string) { fmt.Fprint(a.err, a.inJob(text)) }

// inJob keeps text from commanding the machine of GitHub or of Azure Pipelines that
// runs us: it reads both outputs of every command, whatever --output says.
func (a *app) inJob(text string) string {
	if a.env("GITHUB_ACTIONS") != "true" && a.env("TF_BUILD") == "" {
		return text
	}
	return foreign.Workflow(text)
}

// logTo makes everything that is said from now on a line of the log.
func (a *app) logTo(log *slog.Logger) { a.service.Store(log) }

// print writes a whole result at once. A reader that has left is not an error
// of the command.
func (a *app) print(text string) error { return a.printFor("text", text) }

// printFor prints what was made for one kind of output. Of GitHub's the commands are
// ours, and all else is none.
func (a *app) printFor(output, text string) error {
	if output != "github" {
		text = a.inJob(text)
	}
	_, err := io.WriteString(a.out, text)
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// printJSON writes a document for other programs.
func (a *app) printJSON(document any) error {
	text, err := present.JSON(document)
	if err != nil {
		return err
	}
	return a.print(text)
}

package main

import (
	"context"

	"github.com/layerd/layerd/internal/daemon/config"
	"github.com/layerd/layerd/internal/hint"
	"github.com/layerd/layerd/internal/hint/sqs"
)

// events returns the queue of events that a configuration names, and its URL; nil where it
// names none.
func (s *service) events(ctx context.Context, c config.Config) (hint.Queue, string, error) {
	if c.AWS.Events == nil {
		return nil, "", nil
	}
	cfg, err := s.awsConfig(ctx)
	if err != nil {
		return nil, "", err
	}
	q, err := sqs.New(cfg, c.AWS.Events.Queue, sqs.Options{Logger: s.log})
	if err != nil {
		return nil, "", err
	}
	return q, c.AWS.Events.Queue, nil
}

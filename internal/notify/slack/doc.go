// Package slack sends messages to a Slack channel through an incoming webhook.
//
//	target, err := slack.NewWebhook(slack.Options{
//		URL: func(ctx context.Context) (string, error) { … },   // a secret, read at each use
//	})
//	err = target.Send(ctx, message)
//
// A webhook posts and does nothing else: it cannot update a message or write
// below one, so that each event of an alert is a message of its own.
//
// What is promised:
//
//   - No message is refused for its size: at most 50 blocks, 3,000 characters
//     in one of them and 10,000 in all, of Slack's undocumented 13,200. What is
//     left out is counted ("and 987 more"); a command to copy never is.
//   - Nothing that others wrote (names, commits, errors of AWS) mentions
//     anybody, links anywhere or rewrites the page.
//   - No part of the URL is in any error: whoever has it can post. Errors of
//     the network are named by their kind, and answers only where they are one
//     of Slack's own words; proxies like to repeat what they were asked.
//   - At most one message a second; a 429 is passed on with its Retry-After.
//   - Only a 200 that says ok, and no more, is taken for delivered. An answer that
//     does not end within the ten seconds or 4 KiB is none.
//   - Redirects are not followed: they would carry the message elsewhere.
//
// The limits are Slack's as measured and documented by others; a test holds
// every message against a Slack that refuses what Slack refuses.
package slack

// Package notifytest is the contract of notify.Target, as tests, and the
// stories that its messages are shown with.
//
// Every target runs it from a test of its own and adds only what is peculiar to
// it:
//
//	func TestTarget(t *testing.T) {
//		notifytest.Run(t, notifytest.Contract{
//			New:     func(w http.RoundTripper) notify.Target { … },   // sends through w
//			Secrets: []string{"T0001/B0001/…"},                       // what it was given in confidence
//			Service: func() func(r *http.Request) (status int, body string, err error) { … },
//		})
//	}
//
// A target that passes sorts every answer the same way as the others, lets no
// part of a secret into an error, follows no redirect, and sends no message
// that Service, an honest fake, would refuse.
package notifytest
